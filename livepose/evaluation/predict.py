"""Whose boxes are estimated, and the keypoints in them by several methods from one forward pass.

A flip test also runs the mirrored crop and averages. Whether the mirrored answer falls on the
plain one depends on where the checkpoint puts its pixel centres. With ``pixel_centre`` (heatmap
column c at input 4c + 1.5) and with ``dark`` and ``udp`` (outer columns on outer columns) they
agree. With ``hrnet`` and ``stride`` (column c at input 4c) they are three quarters of a column
apart; the published code moves the mirrored map by one column to the right (SHIFT_HEATMAP of Sun
et al., CVPR 2019), which leaves a quarter.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.errors import DataError
from livepose.estimator import Estimates, PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset, Image, numbers, read_json, single
from livepose.frame import ImageBgr
from livepose.skeletons import SKELETONS

Item = TypeVar("Item")
Result = TypeVar("Result")
Array = NDArray[np.float64]
Heatmaps = NDArray[np.float32]
Crops = NDArray[np.uint8]
Cut = tuple[Crops, Boxes]
Answers = tuple[Heatmaps, Heatmaps | None]
"""Heatmaps of crops and, for a flip test, of their mirror images."""

BATCH, WORKERS = 32, 2
PREFETCHED = 4
"""Images whose crops are cut ahead of need, by each of the threads that read them."""
SHIFTED_ALIGNMENTS = frozenset({"hrnet", "stride"})


@dataclass(frozen=True)
class Boxed:
    """One image and the boxes to estimate in it: ``boxes_xyxy`` (P, 4), ``scores`` (P,)."""

    image: Image
    boxes_xyxy: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.scores)


def annotated_boxes(dataset: Dataset, alignment: str) -> list[Boxed]:
    """The boxes of the annotated people, score 1, images without people included."""
    rows = []
    for image, people in zip(dataset.images, dataset.people_by_image, strict=True):
        edges = np.array([one.box_xyxy for one in people]).reshape(-1, 4)
        boxes_xyxy = cut_at_image(edges, image.size_wh, alignment)
        rows.append(Boxed(image, boxes_xyxy, np.ones(len(people))))
    return rows


def cut_at_image(edges_xyxy: Array, size_wh: tuple[int, int] | None, alignment: str) -> Array:
    """Boxes (P, 4) cut at an image of ``size_wh`` as the published code of the alignment does it.

    The official files for ``hrnet`` (and MMPose's ``udp``) end a box at its last pixel, one short
    of its edge; those for ``dark`` give that pixel back. The others cut edges at edges.
    """
    if size_wh is None:
        return edges_xyxy
    start, high = np.maximum(edges_xyxy[:, :2], 0.0), edges_xyxy[:, 2:]
    limit = np.array(size_wh, dtype=np.float64)
    if alignment in ("pixel_centre", "stride"):
        return np.concatenate([start, np.minimum(high, limit)], axis=1)
    size = high - edges_xyxy[:, :2]
    last = np.minimum(limit - 1.0, start + np.maximum(size - 1.0, 0.0))
    return np.concatenate([start, last + (1.0 if alignment == "dark" else 0.0)], axis=1)


def boxes_from_file(dataset: Dataset, path: Path) -> list[Boxed]:
    """Person detections in COCO's results form (image_id, category_id, bbox xywh, score).

    DataError when the file is not of that form, or none of its images is annotated.
    """
    entries = read_json(path, "file of boxes")
    found: dict[Any, list[Array]] = {image.id: [] for image in dataset.images}
    try:
        people = [one for one in entries if one.get("category_id", 1) == 1]
        for one in people:
            box, score = numbers(one, "bbox", 4), single(one, "score")
            if score >= 0 and one.get("image_id") in found:
                found[one["image_id"]].append(np.array([*box[:2], *(box[:2] + box[2:]), score]))
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: expected a list of {{image_id, category_id, bbox, score}}, got: {error}"
        ) from error
    if not any(found.values()):
        raise DataError(
            f"{path}: none of its {len(people)} person boxes belongs to the {len(found)} annotated"
            " images; do both files belong to the same set?"
        )
    tables = ((one, np.array(found[one.id]).reshape(-1, 5)) for one in dataset.images)
    return [Boxed(image, table[:, :4], table[:, 4]) for image, table in tables]


def detected_boxes(
    dataset: Dataset,
    images: Archive,
    detect: Callable[[Sequence[ImageBgr]], Sequence[Any]],
    advance: Callable[[int], object] = lambda count: None,
) -> list[Boxed]:
    """What the detector (images in, one ``Detections`` each out) finds."""
    rows = []
    for image in dataset.images:
        [found] = detect([images.image_bgr(image.file_name, image.size_wh)])
        rows.append(Boxed(image, np.asarray(found.boxes_xyxy), np.asarray(found.scores)))
        advance(1)
    return rows


@dataclass(frozen=True)
class Variant:
    """One way to read the same forward pass: a decoder, and with or without flip test."""

    decode: str
    flip: bool = False

    @property
    def label(self) -> str:
        """For tables: ``DARK``, ``shift + flip``, ..."""
        name = "DARK" if self.decode == "dark" else self.decode
        return name + (" + flip" if self.flip else "")

    def read(self, estimator: PoseEstimator, answers: Answers, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints in the image from the plain and the mirrored heatmaps."""
        plain, mirrored = self.turned_back(estimator, answers)
        maps = plain if mirrored is None else average(plain, mirrored)
        return estimator.decode(maps, boxes_xyxy, self.decode)

    def turned_back(self, estimator: PoseEstimator, answers: Answers) -> Answers:
        """The plain heatmaps, and the mirrored ones as if plain where they are wanted."""
        (plain, raw), card = answers, estimator.runtime.card
        if not self.flip or raw is None:
            return plain, None
        permutation = SKELETONS[card.skeleton].flip_permutation
        return plain, mirrored_back(raw, permutation, self.shifts(card.alignment))

    def shifts(self, alignment: str) -> bool:
        """Does the mirrored map of such a checkpoint move by one column?"""
        return alignment in SHIFTED_ALIGNMENTS


class Predictions(NamedTuple):
    """Keypoints of everybody in the order of the boxes: (P, K, 2) px and (P, K) scores."""

    keypoints_xy: Array
    keypoint_scores: Array


def predict(
    estimator: PoseEstimator,
    images: Archive,
    sample: Sequence[Boxed],
    variants: Sequence[Variant],
    advance: Callable[[int], object] = lambda count: None,
    workers: int = WORKERS,
) -> dict[Variant, Predictions]:
    """Estimates the people of all boxes by each variant; ``advance`` is told people done.

    So many ``workers`` read images. DataError when an image cannot be read.
    """
    flip, joints = any(one.flip for one in variants), estimator.runtime.card.keypoints
    none = Predictions(np.empty((0, joints, 2)), np.empty((0, joints)))
    parts: dict[Variant, list[Predictions]] = {variant: [none] for variant in variants}
    for crops, boxes_xyxy in batches(estimator, images, sample, workers):
        answers = both_answers(estimator, crops, flip)
        for variant in variants:
            found = variant.read(estimator, answers, boxes_xyxy)
            parts[variant].append(Predictions(found.keypoints_xy, found.keypoint_scores))
        advance(len(boxes_xyxy))
    return {
        variant: Predictions(*(np.concatenate(column) for column in zip(*found, strict=True)))
        for variant, found in parts.items()
    }


def both_answers(estimator: PoseEstimator, crops_bgr: Crops, flip: bool) -> Answers:
    """Heatmaps of the crops (B, h, w, 3) and, for a flip test, of their mirror images."""
    plain = estimator.runtime(crops_bgr)
    return plain, estimator.runtime(np.ascontiguousarray(crops_bgr[:, :, ::-1])) if flip else None


def mirrored_back(
    heatmaps: Heatmaps, flip_permutation: Sequence[int], shift: bool = False
) -> Heatmaps:
    """Heatmaps (B, K, H, W) of mirrored crops, as those of the plain crops.

    Columns are turned back and left and right keypoints are swapped. With ``shift`` column c takes
    what stood in column c - 1, and column 0 keeps its own.
    """
    back = np.ascontiguousarray(heatmaps[:, list(flip_permutation), :, ::-1])
    if shift:
        back[..., 1:] = back[..., :-1].copy()
    return back


def average(plain: Heatmaps, mirrored: Heatmaps) -> Heatmaps:
    """Mean of both answers."""
    return np.asarray((plain + mirrored) * np.float32(0.5))


def batches(
    estimator: PoseEstimator, images: Archive, sample: Sequence[Boxed], workers: int = WORKERS
) -> Iterator[Cut]:
    """Crops (B, h, w, 3) and their boxes (B, 4); every batch but the last is full."""

    def cut(boxed: Boxed) -> Cut:
        image = images.image_bgr(boxed.image.file_name, boxed.image.size_wh)
        return estimator.cut(image, boxed.boxes_xyxy), boxed.boxes_xyxy

    crops: list[Crops] = []
    boxes: list[Boxes] = []
    depth = PREFETCHED * workers
    for some_crops, some_boxes in work_ahead(cut, filter(len, sample), workers, depth):
        crops.extend(some_crops)
        boxes.extend(some_boxes)
        while len(crops) >= BATCH:
            yield np.stack(crops[:BATCH]), np.stack(boxes[:BATCH])
            del crops[:BATCH], boxes[:BATCH]
    if crops:
        yield np.stack(crops), np.stack(boxes)


def work_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, depth: int, *start: Any
) -> Generator[Result, None, None]:
    """Work on each, in order, by threads that are ``depth`` items ahead; ``start``: what each
    thread calls first, and its arguments.
    """
    pool, waiting = ThreadPoolExecutor(workers, "ahead", *start), deque[Future[Result]]()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
