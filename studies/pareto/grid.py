"""Accuracy against time on this machine: decoder, flip test, precision, input size, and how often
the detector looks.

Pictures stand still, so "the detector looks at every n-th picture" is measured as follows: a first
pass in the given boxes, and a second in boxes around the keypoints of the first, as the pipeline
makes them while the detector rests. AP over n pictures is (AP of the first + (n - 1) times AP of
the second) / n: what boxes from keypoints cost, not what motion costs. Time is detection / n +
crop + network + decoding, for all people of one picture.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.estimator import PoseEstimator
from livepose.evaluation.bootstrap import percentile_interval, resampled_coco
from livepose.evaluation.boxes import Boxed
from livepose.evaluation.coco import match
from livepose.evaluation.metrics import coco_results, sigmas_of
from livepose.evaluation.model import open_estimator
from livepose.evaluation.predict import (
    FLIPS,
    Predictions,
    Variant,
    predict,
    variants_of,
)
from livepose.evaluation.run import Set, chosen_detector, open_set
from livepose.evaluation.settings import EvaluationSettings, Progress, no_progress
from livepose.evaluation.speed import WARM_UP, measure_speeds, pictures_with_people, seconds
from livepose.skeletons import COCO17

Array = NDArray[np.float64]

KEYPOINT_SEEN = 0.2
MARGINS = np.array([-0.1, -0.15, 0.1, 0.1])
"""What a box has beyond its keypoints, of their longer extent: left, top, right, bottom."""


@dataclass(frozen=True)
class Grid:
    """What is combined with what."""

    decoders: tuple[str, ...] = ("argmax", "shift", "dark")
    flips: tuple[str, ...] = FLIPS[:2]
    precisions: tuple[str, ...] = ("auto",)
    inputs_hw: tuple[tuple[int, int] | None, ...] = (None,)
    intervals: tuple[int, ...] = (1, 4)


@dataclass(frozen=True)
class Point:
    """One combination: AP with its 95 % interval, and ms for one picture."""

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
        size = f"{self.input_size}, {self.precision}"
        return f"{self.decode}{flip}, {size}, detector {self.looks}"

    @property
    def looks(self) -> str:
        """How often the detector does."""
        return "always" if self.detect_every == 1 else f"1 in {self.detect_every}"


def run_pareto(
    choice: EvaluationSettings, grid: Grid, progress: Progress = no_progress
) -> list[Point]:
    """Measures every combination; the front is marked.

    All networks are opened before the first is measured, so that what this machine cannot run is
    said at once.
    """
    estimators = [
        open_estimator(choice.weights, input_hw, choice.runtime, choice.device, precision)
        for precision in grid.precisions
        for input_hw in grid.inputs_hw
    ]
    data = open_set(choice, progress)
    detection_ms = time_detector(data)
    points: list[Point] = []
    for estimator in estimators:
        points += measure(data, estimator, grid, detection_ms, progress)
    data.pictures.close()
    return with_front(points)


def time_detector(data: Set) -> float:
    """Median ms of one detection, by the detector that was chosen; 0 where there is none."""
    detector = data.detector or chosen_detector(data.choice)
    if detector is None:
        return 0.0
    images = [image for image, _ in pictures_with_people(data.pictures, data.boxes("pixel_centre"))]
    for image in images[:WARM_UP]:
        detector([image])
    return 1e3 * statistics.median(seconds(partial(detector, [image])) for image in images)


def measure(
    data: Set, estimator: PoseEstimator, grid: Grid, detection_ms: float, progress: Progress
) -> list[Point]:
    """Every decoder, flip and interval of one network, from two passes."""
    variants = variants_of(grid.decoders, grid.flips)
    first = data.boxes(estimator.runtime.card.alignment)
    found = run(data, estimator, first, variants, progress)
    resting = max(grid.intervals) > 1
    second = followed(first, found[variants[0]]) if resting else first
    again = run(data, estimator, second, variants, progress) if resting else found
    speeds = measure_speeds(estimator, data.pictures, first, variants, None, data.choice.loading)
    points = []
    for variant in variants:
        samples = [
            ap_samples(data, estimator, *pair)
            for pair in ((first, found[variant]), (second, again[variant]))
        ]
        points += [
            point(estimator, variant, samples, every, detection_ms, speeds[variant].end_to_end_ms)
            for every in grid.intervals
        ]
    return points


def run(
    data: Set,
    estimator: PoseEstimator,
    sample: Sequence[Boxed],
    variants: Sequence[Variant],
    progress: Progress,
) -> dict[Variant, Predictions]:
    """One pass with its own progress bar."""
    advance = progress("pass", sum(len(boxed) for boxed in sample))
    return predict(estimator, data.pictures, sample, variants, data.choice.loading, advance)


def followed(sample: Sequence[Boxed], found: Predictions) -> list[Boxed]:
    """Boxes around the keypoints that were found; where none was, the box stays."""
    seen = found.keypoint_scores > KEYPOINT_SEEN
    around = boxes.around(np.where(seen[..., None], found.keypoints_xy, np.nan))
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
    """AP, and AP of each resample of pictures."""
    sigmas = sigmas_of(COCO17)
    results = coco_results(sample, found, estimator.runtime.card.input_hw, sigmas)
    matches = match(data.dataset.document(), results, sigmas)
    return matches.scores().ap, resampled_coco(matches)["ap"]


def point(
    estimator: PoseEstimator,
    variant: Variant,
    samples: Sequence[tuple[float, Array]],
    every: int,
    detection_ms: float,
    pose_ms: float,
) -> Point:
    """The mean over one picture with detection and ``every`` - 1 without."""
    (first, first_drawn), (second, second_drawn) = samples
    interval = percentile_interval((first_drawn + (every - 1) * second_drawn) / every)
    height, width = estimator.runtime.card.input_hw
    return Point(
        variant.decode,
        variant.flip,
        estimator.runtime.precision,
        f"{height}x{width}",
        every,
        (first + (every - 1) * second) / every,
        interval.low,
        interval.high,
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
