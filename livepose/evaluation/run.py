"""``livepose eval``: one set, every chosen way to read the network, one row each."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.detection import Detector, open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.coco import match
from livepose.evaluation.dataset import Dataset, open_people
from livepose.evaluation.metrics import (
    LSP_GROUPS,
    MPII_GROUPS,
    Pck,
    coco_results,
    lsp_pck,
    mpii_pckh,
    sigmas_of,
)
from livepose.evaluation.mpii import as_mpii, load_mpii, mpii_boxes
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
from livepose.evaluation.settings import EvaluationSettings, Progress, no_progress
from livepose.evaluation.speed import Speed, measure_speed, network_cost
from livepose.runtimes import open_runtime
from livepose.skeletons import COCO17, MPII16, SKELETONS, Skeleton

logger = logging.getLogger(__name__)

MPII_THRESHOLDS = {"@0.5": 0.5, "@0.1": 0.1}
LSP_COLUMNS = {name: name.capitalize() for name in (*LSP_GROUPS, "mean")}
MPII_COLUMNS = {name: name.capitalize() for name in (*MPII_GROUPS, "mean")}


@dataclass(frozen=True)
class Set:
    """The images, their annotations, and where boxes come from: ``found`` by the detector, read
    from a file, or (None) the annotated ones.
    """

    dataset: Dataset
    images: Archive
    settings: EvaluationSettings
    progress: Progress
    detector: Detector | None = None
    found: Sequence[Boxed] | None = None
    skeleton: Skeleton = COCO17

    def boxes(self, alignment: str) -> Sequence[Boxed]:
        """Boxes to estimate; annotated ones are cut as this alignment's published code does it."""
        return annotated_boxes(self.dataset, alignment) if self.found is None else self.found


def open_set(settings: EvaluationSettings, progress: Progress, skeleton: Skeleton = COCO17) -> Set:
    """Opens images and annotations, and finds out what is wrong with them before any work."""
    where = settings.images, settings.annotations, settings.limit
    dataset, images = open_people(*where, skeleton)
    opened = Set(dataset, images, settings, progress, skeleton=skeleton)
    if settings.boxes == "gt":
        return opened
    if settings.boxes != "detector":
        return replace(opened, found=boxes_from_file(dataset, Path(settings.boxes)))
    detector = chosen_detector(settings)
    if detector is None:
        raise UsageError("--boxes detector needs a detector: --detector auto, not none")
    advance = progress("detecting", len(dataset.images))
    found = detected_boxes(dataset, images, detector, advance)
    return replace(opened, detector=detector, found=found)


def chosen_detector(settings: EvaluationSettings) -> Detector | None:
    """The detector of the live pipeline, down to the chosen score; None for ``--detector none``.

    ``auto`` is what lies on this machine: what is measured hangs on no host.
    """
    name, threshold = settings.detector, settings.detector_threshold
    is_auto = name == "auto"
    return open_detector(name, settings.device, score_threshold=threshold, offline=is_auto)


def chosen_estimator(settings: EvaluationSettings, weights: str | None = None) -> PoseEstimator:
    """The chosen weights, or others in their place, opened as the live pipeline opens them."""
    own = settings.runtime, settings.device, settings.precision
    return PoseEstimator(
        open_runtime(weights or settings.weights, *own, input_hw=settings.input_hw)
    )


def run_coco(settings: EvaluationSettings, progress: Progress = no_progress) -> Measured:
    """Measures livepose by every chosen decoder on one set.

    DataError when images and annotations do not fit together, or there is nobody to score.
    """
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
    """Collects rows of one set, and what is needed to compare them image by image."""

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
        self._rows.append(row.scored(matches, matches.images, len(dataset.people)))
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
    found = predict(estimator, data.images, sample, variants, advance)
    cost = getattr(runtime, "cost", None)
    cost = cost or network_cost(card.network, card.keypoints, card.input_hw)
    rows = []
    for one in variants:
        work = estimator, data.images, sample, one, data.detector
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


def run_lsp(settings: EvaluationSettings, progress: Progress = no_progress) -> Measured:
    """PCK@0.2 of the torso on a set in COCO's form, by joint, annotated boxes."""
    data = open_set(settings, progress)
    estimator = chosen_estimator(settings)
    if SKELETONS[estimator.runtime.card.skeleton] is not COCO17:
        raise UsageError("`eval lsp` needs weights for coco17")
    truth_xy, labelled = data.dataset.keypoints()
    image = np.array([one.image for one in data.dataset.people])
    score = partial(lsp_pck, truth_xy=np.nan_to_num(truth_xy), labelled=labelled, image=image)
    return _pck_rows(data, estimator, {"": score})


def run_mpii(
    settings: EvaluationSettings, progress: Progress = no_progress, head_boxes: Path | None = None
) -> Measured:
    """PCKh@0.5 and @0.1 by joint and mean.

    Weights for coco17 are scored on the twelve joints that both skeletons have.
    """
    dataset = load_mpii(settings.annotations, head_boxes, settings.limit)
    images = Archive(settings.images, [one.file_name for one in dataset.images])
    estimator = chosen_estimator(settings)
    card = estimator.runtime.card
    skeleton = SKELETONS[card.skeleton]
    if skeleton is COCO17:
        logger.info(
            "these weights know neither head top, neck, thorax nor pelvis: twelve joints count"
        )
    truth_xy, labelled = dataset.keypoints()
    labelled &= np.isin(MPII16.keypoints, skeleton.keypoints)
    image = np.array([one.image for one in dataset.people])
    heads_xyxy = np.array([one.entry["head_box"] for one in dataset.people])

    def score(found_xy: NDArray[np.float64], limit: float) -> Pck:
        joints_xy = as_mpii(found_xy, skeleton)
        return mpii_pckh(joints_xy, truth_xy, labelled, heads_xyxy, limit, image)

    scores = {name: partial(score, limit=limit) for name, limit in MPII_THRESHOLDS.items()}
    found = mpii_boxes(dataset, card.alignment)
    return _pck_rows(Set(dataset, images, settings, progress, found=found), estimator, scores)


def _pck_rows(
    data: Set,
    estimator: PoseEstimator,
    scores: Mapping[str, Callable[[NDArray[np.float64]], Pck]],
) -> Measured:
    """Rows of every decoder and threshold, and differences to the first of each threshold."""
    counts = len(data.dataset.images), len(data.dataset.people)
    measured = measured_rows(data, estimator, variants_of(data.settings), "livepose")
    rows: list[Row] = []
    for threshold, score in scores.items():
        own = [
            replace(row, method=f"{row.method} {threshold}".strip()).scored(
                score(found.keypoints_xy), *counts
            )
            for row, found in measured
        ]
        rows += compared(own, "mean")[0]
    return Measured(tuple(rows), (), {}, *counts)
