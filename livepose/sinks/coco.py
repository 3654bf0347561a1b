"""COCO's results file: a list that ``pycocotools`` loads as detections."""

import json
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.protocol import Closing, check_writable, sink_error

_PERSON = 1


class CocoSink(Closing):
    """Writes a COCO results list; the file appears, whole, when the sink is closed.

    Until then the records go to a file beside it, so that an earlier result is never half
    replaced. After an error the earlier result stays as it was.

    Raises
    ------
    SinkError
        When the file cannot be written.
    """

    needs_drawing = False

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        check_writable(self._path)
        self._part = self._path.with_name(f".{self._path.name}.part")
        self._empty = True
        self._file: BinaryIO | None = None
        try:
            self._file = self._part.open("wb", buffering=0)
        except OSError as error:
            raise sink_error(self._path, error) from error
        self._put(b"[")

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame."""
        for person in poses:
            text = json.dumps(_record(frame, person), allow_nan=False)
            self._put((b"\n" if self._empty else b",\n") + text.encode())
            self._empty = False

    def close(self) -> None:
        """Puts the finished file in its place; a second call does nothing."""
        if self._file is None:
            return
        self._put(b"\n]\n")
        try:
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise sink_error(self._path, error) from error
        finally:
            self._file = None

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest and self._file is not None:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._give_up()
            raise sink_error(self._path, error) from error

    def _give_up(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._part.unlink(missing_ok=True)


def image_id(frame: Frame) -> int:
    """COCO's number of a picture: the number in its name, or the frame's index."""
    number = re.fullmatch(r"\D*(\d+)", Path(frame.name).stem) if frame.name else None
    return int(number[1]) if number else frame.index


def _record(frame: Frame, person: Poses) -> dict[str, Any]:
    """One person (P = 1); missing keypoints and edges are 0, as the format demands."""
    seen = np.isfinite(person.keypoints_xy[0]).all(axis=1)[:, None]
    points = np.concatenate([person.keypoints_xy[0], person.keypoint_scores[0][:, None]], axis=1)
    left, top, right, bottom = np.nan_to_num(person.boxes_xyxy[0]).tolist()
    return {
        "image_id": image_id(frame),
        "category_id": _PERSON,
        "keypoints": [round(float(value), 3) for value in np.where(seen, points, 0.0).ravel()],
        "score": round(float(np.nan_to_num(person.scores[0])), 6),
        "bbox": [round(value, 3) for value in (left, top, right - left, bottom - top)],
    }
