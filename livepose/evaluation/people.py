"""Which boxes are estimated: annotated ones, those of a file, or those of the detector."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.annotations import Annotations, Picture, by_picture, read_json
from livepose.evaluation.pictures import PictureStore
from livepose.frame import ImageBgr

Array = NDArray[np.float64]

PERSON_CATEGORY = 1


@dataclass(frozen=True)
class Boxed:
    """One picture and the boxes to estimate in it: ``boxes_xyxy`` (P, 4), ``scores`` (P,)."""

    picture: Picture
    boxes_xyxy: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.scores)


def annotated_boxes(annotations: Annotations, alignment: str) -> list[Boxed]:
    """The boxes of the annotated people, score 1, pictures without people included.

    Boxes are cut at the picture as the published code of each alignment does it.
    """
    rows = []
    for picture in annotations.pictures:
        people = annotations.people_of(picture.id)
        boxes_xywh = np.array([one["bbox"] for one in people], dtype=np.float64).reshape(-1, 4)
        boxes_xyxy = cut_at_picture(boxes_xywh, picture.size_wh, alignment)
        rows.append(Boxed(picture, boxes_xyxy, np.ones(len(people))))
    return rows


def cut_at_picture(boxes_xywh: Array, size_wh: tuple[int, int] | None, alignment: str) -> Array:
    """Boxes (P, 4) as left, top, width, height to edges, cut at a picture of ``size_wh``.

    The official files for ``hrnet`` (and MMPose's ``udp``) end a box at its last pixel, one short
    of its edge; those for ``dark`` give that pixel back. The others cut edges at edges.
    """
    low, wh = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    if size_wh is None:
        return np.concatenate([low, low + wh], axis=1)
    limit = np.array(size_wh, dtype=np.float64)
    if alignment in ("pixel_centre", "stride"):
        return np.concatenate([np.maximum(low, 0.0), np.minimum(low + wh, limit)], axis=1)
    start = np.maximum(low, 0.0)
    last = np.minimum(limit - 1.0, start + np.maximum(wh - 1.0, 0.0))
    return np.concatenate([start, last + (1.0 if alignment == "dark" else 0.0)], axis=1)


def boxes_from_file(annotations: Annotations, path: Path) -> list[Boxed]:
    """Person detections in COCO's results form (image_id, category_id, bbox xywh, score).

    Raises
    ------
    DataError
        When the file is not of that form, or none of its pictures is annotated.
    """
    entries = read_json(path, "file of boxes")
    if not isinstance(entries, list) or not all(_is_box(one) for one in entries):
        raise DataError(
            f"{path}: expected a list of {{image_id, category_id, bbox, score}} as COCO's"
            " detection results have it"
        )
    people = [one for one in entries if one.get("category_id", PERSON_CATEGORY) == 1]
    known = set(annotations.image_ids)
    if not any(one["image_id"] in known for one in people):
        raise DataError(
            f"{path}: none of its {len(people)} person boxes belongs to the {len(known)} annotated"
            " pictures; do both files belong to the same set?"
        )
    grouped = by_picture(people)
    return [_boxed(picture, grouped.get(picture.id, ())) for picture in annotations.pictures]


def _is_box(entry: Any) -> bool:
    return isinstance(entry, dict) and {"image_id", "bbox", "score"} <= entry.keys()


def _boxed(picture: Picture, entries: Iterable[Mapping[str, Any]]) -> Boxed:
    own = [one for one in entries if one["score"] >= 0.0]
    boxes = np.array([one["bbox"] for one in own], dtype=np.float64).reshape(-1, 4)
    scores = np.array([one["score"] for one in own], dtype=np.float64)
    return Boxed(picture, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1), scores)


def detected_boxes(
    annotations: Annotations,
    store: PictureStore,
    detect: Callable[[Sequence[ImageBgr]], Sequence[Any]],
    advance: Callable[[int], None],
) -> list[Boxed]:
    """What the detector (pictures in, one ``Detections`` each out) finds."""
    rows = []
    for picture in annotations.pictures:
        found = detect([store.read(picture.file_name)])[0]
        rows.append(Boxed(picture, np.asarray(found.boxes_xyxy), np.asarray(found.scores)))
        advance(1)
    return rows
