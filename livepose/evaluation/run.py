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
from livepose.evaluation.bootstrap import resampled_coco, resampled_pck
from livepose.evaluation.boxes import (
    Boxed,
    annotated_boxes,
    boxes_from_file,
    detected_boxes,
)
from livepose.evaluation.coco import match
from livepose.evaluation.cost import Cost, network_cost
from livepose.evaluation.dataset import Dataset, load_annotations
from livepose.evaluation.metrics import coco_results, sigmas_of
from livepose.evaluation.model import open_estimator
from livepose.evaluation.mpii import as_mpii, load_mpii
from livepose.evaluation.pck import LSP_GROUPS, MPII_GROUPS, Pck, lsp_pck, mpii_pckh
from livepose.evaluation.predict import Decode, Variant, decode_variant, predict
from livepose.evaluation.report import (
    BACKBONES,
    Measured,
    Results,
    Row,
    Scored,
    compared,
    scored,
)
from livepose.evaluation.settings import EvaluationSettings, Progress, no_progress
from livepose.evaluation.speed import Speed, measure_speeds
from livepose.skeletons import COCO17, SKELETONS, Skeleton

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]

MPII_THRESHOLDS = {"@0.5": 0.5, "@0.1": 0.1}


def columns(groups: Mapping[str, object]) -> dict[str, str]:
    """Column names of a table of shares by joint."""
    return {**{name.lower(): name for name in groups}, "mean": "Mean"}


LSP_COLUMNS = columns(LSP_GROUPS)
MPII_COLUMNS = columns(MPII_GROUPS)


@dataclass(frozen=True)
class Set:
    """The pictures, their annotations, and where boxes come from: ``found`` by the detector, read
    from a file, or (None) the annotated ones.
    """

    dataset: Dataset
    pictures: Archive
    choice: EvaluationSettings
    progress: Progress
    detector: Detector | None = None
    found: Sequence[Boxed] | None = None
    skeleton: Skeleton = COCO17

    def boxes(self, alignment: str) -> Sequence[Boxed]:
        """Boxes to estimate; annotated ones are cut as this alignment's published code does it."""
        return annotated_boxes(self.dataset, alignment) if self.found is None else self.found


def open_set(choice: EvaluationSettings, progress: Progress, skeleton: Skeleton = COCO17) -> Set:
    """Opens pictures and annotations, and finds out what is wrong with them before any work."""
    dataset = load_annotations(choice.annotations, choice.limit, skeleton)
    pictures = open_pictures(choice, dataset.file_names)
    opened = Set(dataset, pictures, choice, progress, skeleton=skeleton)
    if choice.boxes == "gt":
        return opened
    if choice.boxes != "detector":
        return replace(opened, found=boxes_from_file(dataset, Path(choice.boxes)))
    detector = chosen_detector(choice)
    if detector is None:
        raise UsageError("--boxes detector needs a detector: --detector auto, not none")
    advance = progress("detecting", len(dataset.pictures))
    found = detected_boxes(dataset, opened.pictures, detector, advance)
    return replace(opened, detector=detector, found=found)


def open_pictures(choice: EvaluationSettings, names: Sequence[str]) -> Archive:
    """The pictures; DataError where one of these is not among them."""
    pictures = Archive(choice.images)
    pictures.require(names)
    return pictures


def chosen_detector(choice: EvaluationSettings) -> Detector | None:
    """The detector of the live pipeline, down to the chosen score; None for ``--detector none``.

    ``auto`` is what lies on this machine: what is measured hangs on no host.
    """
    return open_detector(
        choice.detector,
        device=choice.device,
        score_threshold=choice.detector_threshold,
        offline=choice.detector == "auto",
    )


def chosen_estimator(choice: EvaluationSettings, weights: str | None = None) -> PoseEstimator:
    """The chosen weights, or others in their place."""
    own = choice.runtime, choice.device, choice.precision
    return open_estimator(weights or choice.weights, choice.input_hw, *own)


def run_coco(choice: EvaluationSettings, progress: Progress = no_progress) -> Measured:
    """Measures livepose by every chosen decoder on one set.

    Raises
    ------
    DataError
        When pictures and annotations do not fit together, or there is nobody to score.
    """
    estimator = chosen_estimator(choice)
    skeleton = SKELETONS[estimator.runtime.card.skeleton]
    if skeleton.oks_sigmas is None:
        raise UsageError(
            f"`eval coco` needs weights of a skeleton with sigmas, got {skeleton.name};"
            " use `livepose eval mpii`"
        )
    sets = [open_set(one, progress, skeleton) for one in choice.by_boxes()]
    scorer = CocoScorer(sets[0])
    for scorer.data in sets:
        scorer.run(estimator, choice.variants, "livepose")
        scorer.data.pictures.close()
    return scorer.measured()


class CocoScorer:
    """Collects rows of one set, and what is needed to compare them picture by picture."""

    def __init__(self, data: Set) -> None:
        self.data = data
        self.sigmas = sigmas_of(data.skeleton)
        self._scored: list[Scored] = []
        self._results: dict[str, Results] = {}

    def run(
        self,
        estimator: PoseEstimator,
        variants: Sequence[Variant],
        name: str,
        decode: Decode = decode_variant,
    ) -> None:
        """One forward pass, one row a variant."""
        card, data, choice = estimator.runtime.card, self.data, self.data.choice
        if SKELETONS[card.skeleton] != data.skeleton:
            raise UsageError(
                f"{name}: expected weights for {data.skeleton.name}, got {card.skeleton}"
            )
        sample = data.boxes(card.alignment)
        if not any(map(len, sample)):  # nobody was detected: that is a result
            for variant in variants:
                self.add(bare_row(estimator, f"{name}, {variant.label}", choice), [])
            return
        advance = data.progress(name, sum(map(len, sample)))
        found = predict(estimator, data.pictures, sample, variants, choice.loading, advance, decode)
        speeds: dict[Variant, Speed] = {}
        if choice.speed:
            with_detector = data.detector, choice.loading, decode
            speeds = measure_speeds(estimator, data.pictures, sample, variants, *with_detector)
        for variant in variants:
            row = bare_row(estimator, f"{name}, {variant.label}", choice, speeds.get(variant))
            self.add(row, coco_results(sample, found[variant], card.input_hw, self.sigmas))

    def add(self, row: Row, results: Results) -> None:
        """Scores a results file; ``row`` has everything but the figures."""
        dataset = self.data.dataset
        matches = match(dataset.document(), results, self.sigmas)
        figures, people = matches.scores().as_dict(), len(dataset.people)
        self._scored.append(scored(row, figures, resampled_coco(matches), people))
        self._results[row.title] = results

    def measured(self) -> Measured:
        """Every row with its differences."""
        rows, differences = compared(self._scored, "ap")
        dataset = self.data.dataset
        counts = len(dataset.pictures), len(dataset.people)
        return Measured(rows, differences, self._results, *counts)


def bare_row(
    estimator: PoseEstimator, method: str, choice: EvaluationSettings, speed: Speed | None = None
) -> Row:
    """The row of a configuration before it is scored."""
    runtime = estimator.runtime
    card = runtime.card
    own: Cost | None = getattr(runtime, "cost", None)
    return Row(
        method=method,
        backbone=BACKBONES.get(card.network, card.network),
        input_hw=card.input_hw,
        boxes=choice.boxes_name,
        cost=own or network_cost(card.network, card.keypoints, card.input_hw),
        speed=speed,
        runtime=f"{runtime.name}, {runtime.device}, {runtime.precision}",
    )


@dataclass(frozen=True)
class Scale:
    """One threshold of a set: how keypoints are scored by it, and whose picture each person is."""

    name: str
    score: Callable[[Array], Pck]
    picture: NDArray[np.int64]


def run_lsp(choice: EvaluationSettings, progress: Progress = no_progress) -> Measured:
    """PCK@0.2 of the torso on a set in COCO's form, by joint, annotated boxes."""
    dataset = load_annotations(choice.annotations, choice.limit)
    pictures = open_pictures(choice, dataset.file_names)
    estimator = chosen_estimator(choice)
    if SKELETONS[estimator.runtime.card.skeleton] is not COCO17:
        raise UsageError("`eval lsp` needs weights for coco17")
    truth_xy, labelled = dataset.keypoints()
    score = partial(lsp_pck, truth_xy=np.nan_to_num(truth_xy), labelled=labelled, threshold=0.2)
    picture = np.array([one.picture for one in dataset.people])
    sample = annotated_boxes(dataset, estimator.runtime.card.alignment)
    scales = [Scale("", score, picture)]
    return _shares(choice, estimator, pictures, sample, scales, progress)


def run_mpii(
    choice: EvaluationSettings,
    progress: Progress = no_progress,
    head_boxes: Path | None = None,
) -> Measured:
    """PCKh@0.5 and @0.1 by joint and mean.

    Weights for coco17 are scored on the twelve joints that both skeletons have.
    """
    people = load_mpii(choice.annotations, head_boxes, choice.limit)
    names = list(dict.fromkeys(str(one["image"]) for one in people.entries))
    pictures = open_pictures(choice, names)
    estimator = chosen_estimator(choice)
    skeleton = SKELETONS[estimator.runtime.card.skeleton]
    if skeleton is COCO17:
        logger.info(
            "these weights know neither head top, neck, thorax nor pelvis: twelve joints count"
        )

    def score(found_xy: Array, limit: float) -> Pck:
        joints_xy, has = as_mpii(found_xy, skeleton)
        seen = people.labelled & has
        return mpii_pckh(joints_xy, people.joints_xy, seen, people.head_boxes_xyxy, limit)

    picture = np.array([names.index(str(one["image"])) for one in people.entries])
    scales = [
        Scale(name, partial(score, limit=limit), picture) for name, limit in MPII_THRESHOLDS.items()
    ]
    sample = people.boxes(estimator.runtime.card.alignment)
    return _shares(choice, estimator, pictures, sample, scales, progress)


def _shares(
    choice: EvaluationSettings,
    estimator: PoseEstimator,
    pictures: Archive,
    sample: Sequence[Boxed],
    scales: Sequence[Scale],
    progress: Progress,
) -> Measured:
    """Rows of every decoder and threshold, and differences to the first of each threshold."""
    people = sum(map(len, sample))
    variants, loading = choice.variants, choice.loading
    advance = progress("livepose", people)
    found = predict(estimator, pictures, sample, variants, loading, advance)
    speeds: dict[Variant, Speed] = {}
    if choice.speed:
        speeds = measure_speeds(estimator, pictures, sample, variants, None, loading)
    pictures.close()
    rows: list[Row] = []
    for scale in scales:
        own = []
        for variant, one in found.items():
            method = f"livepose, {variant.label} {scale.name}".strip()
            answer = scale.score(one.keypoints_xy)
            figures = {name.lower(): value for name, value in answer.groups.items()}
            samples = resampled_pck(answer, scale.picture)
            row = bare_row(estimator, method, choice, speeds.get(variant))
            own.append(scored(row, {**figures, "mean": answer.mean}, samples, people))
        rows += compared(own, "mean")[0]
    differences = tuple(row.minus_first for row in rows if row.minus_first is not None)
    return Measured(tuple(rows), differences, {}, int(scales[0].picture.max()) + 1, people)
