"""Accuracy against time on this machine: decoder, flip test, precision, input size, and how often
the detector looks.

Images stand still, so "the detector looks at every n-th image" is measured as follows: a first
pass in the given boxes, and a second in boxes around the keypoints of the first, as the pipeline
makes them between two detections. AP over n images is (AP of the first + (n - 1) times AP of
the second) / n: what boxes from keypoints cost, not what motion costs. Time is detection / n +
crop + network + decoding, for all people of one image.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from livepose.estimator import PoseEstimator
from livepose.evaluation import EvaluationSettings, Progress, no_progress
from livepose.evaluation.metrics import coco_results, draws, match, percentile_interval, sigmas_of
from livepose.evaluation.predict import Boxed, Predictions, Variant, predict
from livepose.evaluation.run import Set, chosen_detector, chosen_estimator, open_set
from livepose.evaluation.speed import WARM_UP, images_with_people, measure_speed, seconds
from livepose.skeletons import COCO17

Array = NDArray[np.float64]

KEYPOINT_SEEN = 0.2
MARGINS = np.array([-0.1, -0.15, 0.1, 0.1])
"""What a box has beyond its keypoints, of their longer extent: left, top, right, bottom."""


@dataclass(frozen=True)
class Grid:
    """What is combined with what, and with each of two flip tests: none and aligned."""

    decoders: tuple[str, ...] = ("argmax", "shift", "dark")
    precisions: tuple[str, ...] = ("auto",)
    inputs_hw: tuple[tuple[int, int] | None, ...] = (None,)
    intervals: tuple[int, ...] = (1, 4)


@dataclass(frozen=True)
class Point:
    """One combination: AP with its 95 % interval, and ms for one image."""

    decode: str
    flip: str
    precision: str
    input_size: str
    detect_every: int
    ap: float
    ap_low: float
    ap_high: float
    ms: float
    on_front: bool = False

    @property
    def label(self) -> str:
        """For the plot."""
        flip = "" if self.flip == "none" else " + flip"
        return f"{self.decode}{flip}, {self.input_size}, {self.precision}, detector {self.interval}"

    @property
    def interval(self) -> str:
        """How often the detector looks."""
        return "always" if self.detect_every == 1 else f"1 in {self.detect_every}"


def run_pareto(
    settings: EvaluationSettings, grid: Grid, progress: Progress = no_progress
) -> list[Point]:
    """Measures every combination; the front is marked.

    All networks are opened before the first is measured, so that what this machine cannot run is
    said at once.
    """
    estimators = [
        chosen_estimator(replace(settings, input_hw=input_hw, precision=precision))
        for precision in grid.precisions
        for input_hw in grid.inputs_hw
    ]
    data = open_set(settings, progress)
    detection_ms = time_detector(data)
    points: list[Point] = []
    for estimator in estimators:
        points += measure(data, estimator, grid, detection_ms)
    data.images.close()
    return with_front(points)


def time_detector(data: Set) -> float:
    """Median ms of one detection, by the detector that was chosen; 0 where there is none."""
    detector = chosen_detector(data.settings)
    if detector is None:
        return 0.0
    images = [image for image, _ in images_with_people(data.images, data.boxes("pixel_centre"))]
    for image in images[:WARM_UP]:
        detector([image])
    return 1e3 * statistics.median(seconds(detector, [image]) for image in images)


def measure(data: Set, estimator: PoseEstimator, grid: Grid, detection_ms: float) -> list[Point]:
    """Every decoder, flip and interval of one network, from two passes."""
    variants = [Variant(decode, flip) for decode in grid.decoders for flip in (False, True)]

    def run(sample: Sequence[Boxed]) -> dict[Variant, Predictions]:
        advance = data.progress("pass", sum(map(len, sample)))
        return predict(estimator, data.images, sample, variants, advance)

    first = data.boxes(estimator.runtime.card.alignment)
    found = run(first)
    second = followed(first, found[variants[0]])
    again = run(second) if max(grid.intervals) > 1 else found
    points = []
    for variant in variants:
        parts = [
            ap_samples(data, estimator, *pair)
            for pair in ((first, found[variant]), (second, again[variant]))
        ]
        speed = measure_speed(estimator, data.images, first, variant)
        own = partial(point, estimator, variant, parts, detection_ms, speed.end_to_end_ms)
        points += [own(every) for every in grid.intervals]
    return points


def followed(sample: Sequence[Boxed], found: Predictions) -> list[Boxed]:
    """Boxes around the keypoints that were found; where none was, the box stays."""
    seen = found.keypoint_scores > KEYPOINT_SEEN
    seen_xy = np.where(seen[..., None], found.keypoints_xy, np.nan)
    low, high = np.fmin.reduce(seen_xy, axis=1), np.fmax.reduce(seen_xy, axis=1)
    around = np.concatenate([low, high], axis=1)
    extent = (around[:, 2:] - around[:, :2]).max(axis=1, keepdims=True, initial=0.0)
    moved = around + MARGINS * extent
    rows, start = [], 0
    for boxed in sample:
        own = moved[start : start + len(boxed)]
        start += len(boxed)
        usable = np.isfinite(own).all(axis=1, keepdims=True)
        rows.append(replace(boxed, boxes_xyxy=np.where(usable, own, boxed.boxes_xyxy)))
    return rows


def ap_samples(
    data: Set, estimator: PoseEstimator, sample: Sequence[Boxed], found: Predictions
) -> tuple[float, Array]:
    """AP, and AP of each resample of images."""
    sigmas = sigmas_of(COCO17)
    results = coco_results(sample, found, estimator.runtime.card.input_hw, sigmas)
    matches = match(data.dataset.document(), results, sigmas)
    return matches.scores()["ap"], matches.resampled(draws(matches.images))["ap"]


def point(
    estimator: PoseEstimator,
    variant: Variant,
    parts: Sequence[tuple[float, Array]],
    detection_ms: float,
    pose_ms: float,
    every: int,
) -> Point:
    """The mean over one image with detection and ``every`` - 1 without."""
    (first, first_drawn), (second, second_drawn) = parts
    interval = percentile_interval((first_drawn + (every - 1) * second_drawn) / every)
    height, width = estimator.runtime.card.input_hw
    flip = "aligned" if variant.flip else "none"
    return Point(
        *(variant.decode, flip, estimator.runtime.precision, f"{height}x{width}", every),
        *((first + (every - 1) * second) / every, interval.low, interval.high),
        detection_ms / every + pose_ms,
    )


def with_front(points: Sequence[Point]) -> list[Point]:
    """Marks those that nothing beats in both time and accuracy; quickest first."""
    return [
        replace(one, on_front=not any(beats(other, one) for other in points))
        for one in sorted(points, key=lambda one: one.ms)
    ]


def beats(first: Point, second: Point) -> bool:
    """Is the first nowhere worse and somewhere better?"""
    better = (first.ms, -first.ap) != (second.ms, -second.ap)
    return better and first.ms <= second.ms and first.ap >= second.ap
