"""``livepose eval``: one set, every chosen way to read the network, one row each."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from livepose.detection import Detector, detect_stills, open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation import EvaluationSettings, Progress, no_progress
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset, open_people
from livepose.evaluation.metrics import coco_results, draws, match, sigmas_of
from livepose.evaluation.predict import (
    Boxed,
    Predictions,
    Variant,
    annotated_boxes,
    boxes_from_file,
    detected_boxes,
    predict,
)
from livepose.evaluation.report import BACKBONES, Measured, Results, Row, compared
from livepose.evaluation.speed import Speed, measure_speed, network_cost
from livepose.frame import ImageBgr
from livepose.runtimes import open_runtime
from livepose.skeletons import COCO17, SKELETONS, Skeleton

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Set:
    """Images, annotations, and boxes that were ``found``; None: the annotated ones."""

    dataset: Dataset
    images: Archive
    settings: EvaluationSettings
    progress: Progress
    detect: Callable[[Sequence[ImageBgr]], Any] | None = None
    found: Sequence[Boxed] | None = None
    skeleton: Skeleton = COCO17

    def boxes(self, alignment: str) -> Sequence[Boxed]:
        """Boxes to estimate; annotated ones are cut as this alignment's published code does it."""
        return annotated_boxes(self.dataset, alignment) if self.found is None else self.found


def open_set(settings: EvaluationSettings, progress: Progress, skeleton: Skeleton = COCO17) -> Set:
    """Opens images and annotations; what is wrong with them is found before any work."""
    where = settings.images, settings.annotations, settings.limit
    dataset, images = open_people(*where, skeleton)
    found, detect = None, None
    if settings.boxes == "detector":
        detector = chosen_detector(settings)
        if detector is None:
            raise UsageError("--boxes detector needs a detector: --detector auto, not none")
        advance = progress("detecting", len(dataset.images))
        detect = partial(detect_stills, detector)
        found = detected_boxes(dataset, images, detect, advance)
    elif settings.boxes != "gt":
        found = boxes_from_file(dataset, Path(settings.boxes))
    return Set(dataset, images, settings, progress, detect, found, skeleton)


def chosen_detector(settings: EvaluationSettings) -> Detector | None:
    """The detector of the live pipeline, down to the chosen score; None for ``--detector none``."""
    name, threshold = settings.detector, settings.detector_threshold
    offline = name == "auto"  # what lies on this machine: what is measured hangs on no host
    return open_detector(name, settings.device, score_threshold=threshold, offline=offline)


def chosen_estimator(settings: EvaluationSettings, weights: str | None = None) -> PoseEstimator:
    """The chosen weights, or others in their place, opened as the live pipeline opens them."""
    how = settings.runtime, settings.device, settings.precision
    runtime = open_runtime(weights or settings.weights, *how, input_hw=settings.input_hw)
    return PoseEstimator(runtime)


def run_coco(settings: EvaluationSettings, progress: Progress = no_progress) -> Measured:
    """Measures livepose by every chosen decoder on one set; DataError when it cannot be scored."""
    estimator = chosen_estimator(settings)
    skeleton = SKELETONS[estimator.runtime.card.skeleton]
    sigmas_of(skeleton)  # before any work
    sets = [open_set(one, progress, skeleton) for one in settings.by_boxes()]
    scorer = CocoScorer(sets[0])
    for scorer.data in sets:
        scorer.run(estimator, variants_of(settings), "livepose")
    return scorer.measured()


def variants_of(settings: EvaluationSettings) -> tuple[Variant, ...]:
    """Rows to score from the one forward pass."""
    return tuple(Variant(decode, settings.flip_test) for decode in settings.decoders)


class CocoScorer:
    """Collects rows of one set."""

    def __init__(self, data: Set) -> None:
        self.data = data
        self.sigmas = sigmas_of(data.skeleton)
        self._rows: list[Row] = []
        self._results: dict[str, Results] = {}

    def run(self, estimator: PoseEstimator, variants: Sequence[Variant], name: str) -> None:
        """One forward pass, one row a variant."""
        card, data = estimator.runtime.card, self.data
        if SKELETONS[card.skeleton] != data.skeleton:
            raise UsageError(
                f"{name}: expected weights for {data.skeleton.name}, got {card.skeleton}"
            )
        sample = data.boxes(card.alignment)
        for row, found in measured_rows(data, estimator, variants, name):
            self.add(row, coco_results(sample, found, card.input_hw, self.sigmas))

    def add(self, row: Row, results: Results) -> None:
        """Scores a results file; ``row`` has everything but the figures."""
        dataset = self.data.dataset
        matches = match(dataset.document(), results, self.sigmas)
        samples = matches.resampled(draws(matches.images))
        self._rows.append(row.scored(matches.scores(), samples, len(dataset.people)))
        self._results[row.title] = results

    def measured(self) -> Measured:
        """Every row with its differences."""
        dataset = self.data.dataset
        counts = len(dataset.images), len(dataset.people)
        return Measured(*compared(self._rows, "ap"), self._results, *counts)


def measured_rows(
    data: Set, estimator: PoseEstimator, variants: Sequence[Variant], name: str
) -> list[tuple[Row, Predictions]]:
    """A row of each variant with what it costs, and the keypoints to be scored."""
    runtime, settings = estimator.runtime, data.settings
    card, sample = runtime.card, data.boxes(runtime.card.alignment)
    advance = data.progress(name, sum(map(len, sample)))
    found = predict(estimator, data.images, sample, variants, advance, settings.workers)
    cost = getattr(runtime, "cost", None)  # a peer of a study says it by itself
    cost = cost or network_cost(card.network, card.keypoints, card.input_hw)
    rows = []
    for one in variants:
        work = estimator, data.images, sample, one, data.detect
        speed = measure_speed(*work) if settings.speed else Speed()
        row = Row(
            method=f"{name}, {one.label}",
            backbone=BACKBONES.get(card.network, card.network),
            input_hw=card.input_hw,
            boxes=settings.boxes_name,
            runtime=f"{runtime.name}, {runtime.device}, {runtime.precision}",
            figures={**cost._asdict(), **speed._asdict()},
        )
        rows.append((row, found[one]))
    return rows
