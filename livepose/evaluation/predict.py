"""Keypoints of a whole set by several methods from one forward pass.

Threads read pictures and cut crops; one thread runs the network in batches that cross picture
borders. The order of people never depends on either, so neither do the results.

A flip test also runs the mirrored crop and averages. Whether the mirrored answer falls on the
plain one depends on where the checkpoint puts its pixel centres. With ``pixel_centre`` (heatmap
column c at input 4c + 1.5) and with ``dark`` and ``udp`` (outer columns on outer columns) they
agree. With ``hrnet`` and ``stride`` (column c at input 4c) they are three quarters of a column
apart; the published code moves the mirrored map by one column to the right (SHIFT_HEATMAP of Sun
et al., CVPR 2019), which leaves a quarter.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.errors import DataError
from livepose.estimator import Estimates, PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.boxes import Boxed
from livepose.evaluation.settings import Loading
from livepose.skeletons import SKELETONS

Array = NDArray[np.float64]
Heatmaps = NDArray[np.float32]
Crops = NDArray[np.uint8]
Answers = tuple[Heatmaps, Heatmaps | None]
"""Heatmaps of crops and, for a flip test, of their mirror images."""

FLIPS = {"none": "", "aligned": " + flip", "other": " + flip, misaligned"}
"""No flip test; aligned as the checkpoint's pixel centres ask for; the other way (for study)."""

PREFETCHED = 4
SHIFTED_ALIGNMENTS = frozenset({"hrnet", "stride"})


@dataclass(frozen=True)
class Variant:
    """One way to read the same forward pass: a decoder, and with or without flip test."""

    decode: str
    flip: str = "none"

    @property
    def label(self) -> str:
        """For tables: ``DARK``, ``shift + flip``, ..."""
        return ("DARK" if self.decode == "dark" else self.decode) + FLIPS[self.flip]

    def read(self, estimator: PoseEstimator, answers: Answers, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints in the picture from the plain and the mirrored heatmaps."""
        plain, mirrored = self.turned_back(estimator, answers)
        maps = plain if mirrored is None else average(plain, mirrored)
        return estimator.decode(maps, boxes_xyxy, self.decode)

    def turned_back(self, estimator: PoseEstimator, answers: Answers) -> Answers:
        """The plain heatmaps, and the mirrored ones as if plain where they are wanted."""
        plain, raw = answers
        if self.flip == "none" or raw is None:
            return plain, None
        card = estimator.runtime.card
        shift = (card.alignment in SHIFTED_ALIGNMENTS) == (self.flip == "aligned")
        return plain, mirrored_back(raw, SKELETONS[card.skeleton].flip_permutation, shift)


@dataclass(frozen=True)
class Predictions:
    """Keypoints of everybody in the order of the boxes: (P, K, 2) px and (P, K) scores."""

    keypoints_xy: Array
    keypoint_scores: Array


def predict(
    estimator: PoseEstimator,
    pictures: Archive,
    sample: Sequence[Boxed],
    variants: Sequence[Variant],
    loading: Loading = Loading(),  # noqa: B008  (it is frozen)
    advance: Callable[[int], object] = lambda count: None,
) -> dict[Variant, Predictions]:
    """Estimates the people of all boxes by each variant; ``advance`` is told people done.

    DataError when a picture cannot be read, or no box is given.
    """
    if not any(len(boxed) for boxed in sample):
        raise DataError("there is not a single box to estimate in these pictures")
    flip = any(variant.flip != "none" for variant in variants)
    parts: dict[Variant, list[Estimates]] = {variant: [] for variant in variants}
    for crops, boxes_xyxy in batches(estimator, pictures, sample, loading):
        answers = both_answers(estimator, crops, flip)
        for variant in variants:
            parts[variant].append(variant.read(estimator, answers, boxes_xyxy))
        advance(len(boxes_xyxy))
    return {
        variant: Predictions(
            np.concatenate([one.keypoints_xy for one in estimates]),
            np.concatenate([one.keypoint_scores for one in estimates]),
        )
        for variant, estimates in parts.items()
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
    estimator: PoseEstimator, pictures: Archive, sample: Sequence[Boxed], loading: Loading
) -> Iterator[tuple[Crops, Boxes]]:
    """Crops (B, h, w, 3) and their boxes (B, 4); every batch but the last is full."""
    crops: list[Crops] = []
    boxes: list[Boxes] = []
    for some_crops, some_boxes in _prefetched(estimator, pictures, sample, loading.workers):
        crops.extend(some_crops)
        boxes.extend(some_boxes)
        while len(crops) >= loading.batch:
            yield np.stack(crops[: loading.batch]), np.stack(boxes[: loading.batch])
            del crops[: loading.batch], boxes[: loading.batch]
    if crops:
        yield np.stack(crops), np.stack(boxes)


def _prefetched(
    estimator: PoseEstimator, pictures: Archive, sample: Sequence[Boxed], workers: int
) -> Iterator[tuple[Crops, Boxes]]:
    """The crops of one picture after the other, cut by threads ahead of need."""

    def cut(boxed: Boxed) -> tuple[Crops, Boxes]:
        image = pictures.image_bgr(boxed.picture.file_name, boxed.picture.size_wh)
        return estimator.cut(image, boxed.boxes_xyxy), boxed.boxes_xyxy

    waiting: deque[Future[tuple[Crops, Boxes]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for boxed in filter(len, sample):
            waiting.append(pool.submit(cut, boxed))
            if len(waiting) > PREFETCHED * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
