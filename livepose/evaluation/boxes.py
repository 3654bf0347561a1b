"""Which boxes are estimated: annotated ones, those of a file, or those of the detector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset, Picture, numbers, read_json, single
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


def annotated_boxes(dataset: Dataset, alignment: str) -> list[Boxed]:
    """The boxes of the annotated people, score 1, pictures without people included.

    Boxes are cut at the picture as the published code of each alignment does it.
    """
    rows = []
    for picture, people in zip(dataset.pictures, dataset.people_by_picture, strict=True):
        edges = np.array([one.box_xyxy for one in people]).reshape(-1, 4)
        boxes_xyxy = cut_at_picture(edges, picture.size_wh, alignment)
        rows.append(Boxed(picture, boxes_xyxy, np.ones(len(people))))
    return rows


def cut_at_picture(edges_xyxy: Array, size_wh: tuple[int, int] | None, alignment: str) -> Array:
    """Boxes (P, 4) cut at a picture of ``size_wh``.

    The official files for ``hrnet`` (and MMPose's ``udp``) end a box at its last pixel, one short
    of its edge; those for ``dark`` give that pixel back. The others cut edges at edges.
    """
    if size_wh is None:
        return edges_xyxy
    low, high = edges_xyxy[:, :2], edges_xyxy[:, 2:]
    limit = np.array(size_wh, dtype=np.float64)
    if alignment in ("pixel_centre", "stride"):
        return np.concatenate([np.maximum(low, 0.0), np.minimum(high, limit)], axis=1)
    start = np.maximum(low, 0.0)
    last = np.minimum(limit - 1.0, start + np.maximum(high - low - 1.0, 0.0))
    return np.concatenate([start, last + (1.0 if alignment == "dark" else 0.0)], axis=1)


def boxes_from_file(dataset: Dataset, path: Path) -> list[Boxed]:
    """Person detections in COCO's results form (image_id, category_id, bbox xywh, score).

    DataError when the file is not of that form, or none of its pictures is annotated.
    """
    entries = read_json(path, "file of boxes")
    found: dict[Any, list[Array]] = {picture.id: [] for picture in dataset.pictures}
    try:
        people = [one for one in entries if one.get("category_id", PERSON_CATEGORY) == 1]
        for one in people:
            row = np.append(numbers(one, "bbox", 4), single(one, "score"))
            if row[4] >= 0 and one.get("image_id") in found:
                found[one["image_id"]].append(row)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: expected a list of {{image_id, category_id, bbox, score}} as COCO's"
            f" detection results have it, got: {error}"
        ) from error
    if not any(found.values()):
        raise DataError(
            f"{path}: none of its {len(people)} person boxes belongs to the {len(found)} annotated"
            " pictures; do both files belong to the same set?"
        )
    return [_boxed(picture, found[picture.id]) for picture in dataset.pictures]


def _boxed(picture: Picture, rows: Sequence[Array]) -> Boxed:
    table = np.array(rows).reshape(-1, 5)
    return Boxed(picture, np.hstack([table[:, :2], table[:, :2] + table[:, 2:4]]), table[:, 4])


def detected_boxes(
    dataset: Dataset,
    pictures: Archive,
    detect: Callable[[Sequence[ImageBgr]], Sequence[Any]],
    advance: Callable[[int], object] = lambda count: None,
) -> list[Boxed]:
    """What the detector (pictures in, one ``Detections`` each out) finds."""
    rows = []
    for picture in dataset.pictures:
        found = detect([pictures.image_bgr(picture.file_name, picture.size_wh)])[0]
        rows.append(Boxed(picture, np.asarray(found.boxes_xyxy), np.asarray(found.scores)))
        advance(1)
    return rows
