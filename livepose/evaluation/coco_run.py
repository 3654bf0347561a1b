"""``livepose eval coco``: several methods on the same pictures, scored by COCO's AP."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from livepose.detection import Detector, open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.annotations import Annotations, load_annotations
from livepose.evaluation.bootstrap import resampled_coco
from livepose.evaluation.coco import match
from livepose.evaluation.measured import Measured, Results, bare_row, speeds_of
from livepose.evaluation.metrics import sigmas_of
from livepose.evaluation.model import open_estimator
from livepose.evaluation.people import (
    Boxed,
    annotated_boxes,
    boxes_from_file,
    detected_boxes,
)
from livepose.evaluation.pictures import PictureStore
from livepose.evaluation.predict import Decode, Variant, decode_variant, predict
from livepose.evaluation.rows import (
    Row,
    Scored,
    against,
    difference,
    scored,
)
from livepose.evaluation.scoring import coco_results
from livepose.evaluation.settings import Choice, Progress, no_progress
from livepose.skeletons import COCO17, SKELETONS


@dataclass(frozen=True)
class Set:
    """The pictures, their annotations, and where boxes come from: ``found`` by the detector, read
    from a file, or (None) the annotated ones.
    """

    annotations: Annotations
    store: PictureStore
    choice: Choice
    progress: Progress
    detector: Detector | None = None
    found: Sequence[Boxed] | None = None

    def boxes(self, alignment: str) -> Sequence[Boxed]:
        """Boxes to estimate; annotated ones are cut as this alignment's published code does it."""
        return annotated_boxes(self.annotations, alignment) if self.found is None else self.found


def open_set(choice: Choice, progress: Progress) -> Set:
    """Opens pictures and annotations, and finds out what is wrong with them before any work."""
    annotations = load_annotations(choice.annotations, choice.limit)
    store = PictureStore.holding(choice.images, annotations.file_names)
    opened = Set(annotations, store, choice, progress)
    if choice.boxes == "gt":
        return opened
    if choice.boxes != "detector":
        return replace(opened, found=boxes_from_file(annotations, Path(choice.boxes)))
    detector = chosen_detector(choice)
    if detector is None:
        raise UsageError("--boxes detector needs a detector: --detector auto, not none")
    advance = progress("detecting", len(annotations.pictures))
    found = detected_boxes(annotations, store, detector, advance)
    return replace(opened, detector=detector, found=found)


def chosen_detector(choice: Choice) -> Detector | None:
    """The detector of the live pipeline, down to the chosen score; None for ``--detector none``."""
    return open_detector(
        choice.detector, device=choice.device, score_threshold=choice.detector_threshold
    )


def run_coco(choice: Choice, progress: Progress = no_progress) -> Measured:
    """Measures livepose by every chosen decoder on one set.

    Raises
    ------
    DataError
        When pictures and annotations do not fit together, or there is nobody to score.
    """
    data = open_set(choice, progress)
    scorer = Scorer(data)
    run_estimator(scorer, chosen_estimator(choice), choice.variants, "livepose")
    data.store.close()
    return scorer.measured()


def chosen_estimator(choice: Choice, weights: str | None = None) -> PoseEstimator:
    """The chosen weights, or others in their place."""
    return open_estimator(
        weights or choice.weights, choice.input_hw, choice.runtime, choice.device, choice.precision
    )


class Scorer:
    """Collects rows of one set, and what is needed to compare them picture by picture."""

    def __init__(self, data: Set) -> None:
        self.data = data
        self.sigmas = sigmas_of(COCO17)
        self._scored: list[Scored] = []
        self._results: dict[str, Results] = {}

    def add(self, row: Row, results: Results) -> None:
        """Scores a results file; ``row`` has everything but the figures."""
        annotations = self.data.annotations
        matches = match(annotations.document, results, self.sigmas, annotations.image_ids)
        figures, people = matches.scores().as_dict(), len(annotations.people)
        self._scored.append(scored(row, figures, resampled_coco(matches), people))
        self._results[row.title] = results

    def measured(self) -> Measured:
        """Every row, with its difference from the first of its own network, and of each network
        from the first.
        """
        firsts = {one.row.network: one for one in reversed(self._scored)}
        rows = [against(firsts[one.row.network], one, "ap") for one in self._scored]
        within = [row.minus_first for row in rows if row.minus_first is not None]
        across = [
            difference(one, self._scored[0], "ap")
            for one in self._scored[1:]
            if one is firsts[one.row.network]
        ]
        annotations = self.data.annotations
        pictures, people = len(annotations.pictures), len(annotations.people)
        return Measured(tuple(rows), (*within, *across), self._results, pictures, people)


def run_estimator(
    scorer: Scorer,
    estimator: PoseEstimator,
    variants: Sequence[Variant],
    name: str,
    decode: Decode = decode_variant,
) -> None:
    """One forward pass, one row a variant."""
    card = estimator.runtime.card
    if SKELETONS[card.skeleton] is not COCO17:
        raise UsageError(
            f"{name}: `eval coco` needs weights for coco17, got {card.skeleton};"
            " use `livepose eval mpii`"
        )
    data = scorer.data
    sample = data.boxes(card.alignment)
    total = sum(len(boxed) for boxed in sample)
    advance = data.progress(name, total)
    loading = data.choice.loading
    found = predict(estimator, data.store, sample, variants, loading, advance, decode)
    speeds = speeds_of(data.choice, variants, estimator, data.store, sample, data.detector, decode)
    for variant in variants:
        method, speed = f"{name}, {variant.label}", speeds.get(variant)
        row = bare_row(estimator, method, speed, data.choice.boxes)
        results = coco_results(sample, found[variant], card.input_hw, scorer.sigmas)
        scorer.add(row, results)
