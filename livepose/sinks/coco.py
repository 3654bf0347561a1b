"""COCO's results file: a list that ``pycocotools`` loads as detections."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks._lines import write_all
from livepose.sinks.claims import check_file
from livepose.sinks.protocol import Closing, sink_error

PERSON = 1


class CocoSink(Closing):
    """Writes a COCO results list; the file appears, whole, when the sink is closed.

    Until then the records go to a file of a new name beside it, so that an earlier result is
    never half replaced, and two runs do not write into one file. After an error the earlier
    result stays as it was.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._path = Path(path)
        check_file(self._path, overwrite=overwrite)
        self._ids = ImageIds()
        self._empty = True
        self._file: BinaryIO | None = None
        try:
            self._part, self._file = _new_file_beside(self._path)
        except OSError as error:
            raise sink_error(self._path, error) from error
        self._put(b"[")

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame."""
        picture = self._ids(frame)
        for person in poses.in_source_pixels(frame.scale_xy):
            text = json.dumps({**picture, **_record(person)}, allow_nan=False)
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
        try:
            if self._file is not None:
                write_all(self._file, data)
        except OSError as error:
            self._give_up()
            raise sink_error(self._path, error) from error

    def _give_up(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._part.unlink(missing_ok=True)


class ImageIds:
    """COCO's number of a picture: the number in its name, or the frame's index.

    A picture whose number is another one's gets the next free number, and its name beside it.
    """

    def __init__(self) -> None:
        self._given: set[int] = set()

    def __call__(self, frame: Frame) -> dict[str, Any]:
        """``image_id``, with ``file_name`` where that is not the number in the name."""
        if frame.name is None:
            return {"image_id": frame.index}
        found = re.fullmatch(r"[^0-9]*([0-9]{1,18})", Path(frame.name).stem)
        number = int(found[1]) if found else frame.index
        if known := number in self._given:
            number = max(self._given) + 1
        self._given.add(number)
        told_by_name = found is not None and not known
        return {"image_id": number} | ({} if told_by_name else {"file_name": frame.name})


def _new_file_beside(path: Path) -> tuple[Path, BinaryIO]:
    """A file that nobody else has open, with the permissions of any other new file."""
    number, name = tempfile.mkstemp(".part", f".{path.name[:100]}.", path.parent)
    umask = os.umask(0)
    os.umask(umask)
    Path(name).chmod(0o666 & ~umask)
    return Path(name), os.fdopen(number, "wb", buffering=0)


def _record(person: Poses) -> dict[str, Any]:
    """One person (P = 1); missing keypoints and edges are 0, as the format demands."""
    seen = np.isfinite(person.keypoints_xy[0]).all(axis=1)[:, None]
    points = np.concatenate([person.keypoints_xy[0], person.keypoint_scores[0][:, None]], axis=1)
    left, top, right, bottom = np.nan_to_num(person.boxes_xyxy[0]).tolist()
    return {
        "category_id": PERSON,
        "keypoints": [round(float(value), 3) for value in np.where(seen, points, 0.0).ravel()],
        "score": round(float(np.nan_to_num(person.scores[0])), 6),
        "bbox": [round(value, 3) for value in (left, top, right - left, bottom - top)],
    }
