"""COCO's results file: a list that ``pycocotools`` loads as detections."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.claims import check_file
from livepose.sinks.files import WholeFile
from livepose.sinks.protocol import Closing

PERSON = 1


class CocoSink(Closing):
    """Writes a COCO results list; the file appears, whole, when the sink is closed."""

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        check_file(Path(path), overwrite=overwrite)
        self._ids = ImageIds()
        self._before = b"[\n"
        self._file = WholeFile(Path(path))

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame."""
        picture = self._ids(frame)
        for person in poses.in_source_pixels(frame.scale_xy):
            text = json.dumps({**picture, **_record(person)}, allow_nan=False)
            self._file.write(self._before + text.encode())
            self._before = b",\n"

    def close(self) -> None:
        """Puts the finished file in its place; a second call does nothing."""
        self._file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")
        self._file.close()


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
