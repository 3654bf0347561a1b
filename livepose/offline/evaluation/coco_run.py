"""``livepose eval coco``: several methods and peers on the same pictures, scored by COCO's AP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.detector import Detector, open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.offline.evaluation.annotations import Annotations, load_annotations
from livepose.offline.evaluation.bootstrap import (
    paired_interval,
    percentile_interval,
    resampled_coco,
)
from livepose.offline.evaluation.coco import match
from livepose.offline.evaluation.cost import Cost, network_cost
from livepose.offline.evaluation.metrics import sigmas_of
from livepose.offline.evaluation.model import backbone_of, open_estimator
from livepose.offline.evaluation.peers import DirectPeer, open_peer
from livepose.offline.evaluation.peers.run import direct_results, direct_speed
from livepose.offline.evaluation.people import (
    Boxed,
    annotated_boxes,
    boxes_from_file,
    detected_boxes,
)
from livepose.offline.evaluation.pictures import PictureStore
from livepose.offline.evaluation.predict import Variant, predict
from livepose.offline.evaluation.rows import Difference, Row
from livepose.offline.evaluation.scoring import coco_results
from livepose.offline.evaluation.settings import (
    INTERVALS_BELOW_PEOPLE,
    Choice,
    Progress,
    Report,
    no_progress,
)
from livepose.offline.evaluation.speed import measure_speed
from livepose.skeletons import COCO17, SKELETONS

Array = NDArray[np.float64]
Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Measured:
    """Rows, the differences that matter with their paired intervals, and every result file."""

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    results: Mapping[str, Results]
    pictures: int
    people: int


@dataclass
class Set:
    """The pictures, their annotations, and where boxes come from."""

    annotations: Annotations
    store: PictureStore
    choice: Choice
    report: Report
    progress: Progress
    detector: Detector | None = field(default=None)

    def boxes(self, alignment: str) -> list[Boxed]:
        """Boxes to estimate, cut as this alignment's published code does it."""
        if self.choice.boxes == "gt":
            return annotated_boxes(self.annotations, alignment)
        if self.detector is not None:
            return self._detected
        return boxes_from_file(self.annotations, Path(self.choice.boxes))

    def open_detector(self) -> None:
        """Detects once for all rows."""
        self.detector = open_detector(
            self.choice.detector,
            device=self.choice.device,
            score_threshold=self.choice.detector_threshold,
            report=self.report,
        )
        if self.detector is None:
            raise UsageError("--boxes detector needs a detector: --detector auto, not none")
        advance = self.progress("detecting", len(self.annotations.pictures))
        self._detected = detected_boxes(self.annotations, self.store, self.detector, advance)


def open_set(choice: Choice, report: Report, progress: Progress) -> Set:
    """Opens pictures and annotations, and finds out what is wrong with them before any work."""
    annotations = load_annotations(choice.annotations, choice.limit)
    store = PictureStore(choice.images)
    store.require(picture.file_name for picture in annotations.pictures)
    opened = Set(annotations, store, choice, report, progress)
    if choice.boxes == "detector":
        opened.open_detector()
    return opened


def run_coco(choice: Choice, report: Report, progress: Progress = no_progress) -> Measured:
    """Measures livepose by every chosen decoder, then the peers, on one set.

    Raises
    ------
    DataError
        When pictures and annotations do not fit together, or there is nobody to score.
    """
    peers = [open_peer(spec) for spec in choice.peers]
    data = open_set(choice, report, progress)
    scorer = Scorer(data)
    estimator = open_estimator(
        choice.weights, choice.input_hw, choice.runtime, choice.device, choice.precision, report
    )
    run_estimator(scorer, estimator, choice.variants, "livepose")
    for peer in peers:
        if isinstance(peer, PoseEstimator):
            run_estimator(scorer, peer, peer_variants(choice), peer.runtime.card.network)
        else:
            run_direct(scorer, peer)
    data.store.close()
    return scorer.measured()


def peer_variants(choice: Choice) -> tuple[Variant, ...]:
    """How the heatmaps of a peer are read."""
    return replace(choice, decoders=choice.peer_decoders).variants


class Scorer:
    """Collects rows of one set, and what is needed to compare them picture by picture."""

    def __init__(self, data: Set) -> None:
        self.data = data
        self.sigmas = sigmas_of(COCO17)
        self._rows: list[Row] = []
        self._samples: list[dict[str, Array]] = []
        self._results: dict[str, Results] = {}

    def add(self, row: Row, results: Results) -> None:
        """Scores a results file; ``row`` has everything but the figures."""
        annotations = self.data.annotations
        matches = match(annotations.document, results, self.sigmas, annotations.image_ids)
        small = len(annotations.people) < INTERVALS_BELOW_PEOPLE
        samples = resampled_coco(matches) if small else {}
        intervals = {name: percentile_interval(values) for name, values in samples.items()}
        figures = matches.scores().as_dict()
        self._rows.append(replace(row, figures=figures, intervals=intervals))
        self._samples.append(samples)
        self._results[row.title] = results

    def measured(self) -> Measured:
        """Everything, with the differences of all rows to the first."""
        annotations = self.data.annotations
        return Measured(
            tuple(self._rows),
            tuple(self._differences()),
            self._results,
            len(annotations.pictures),
            len(annotations.people),
        )

    def _differences(self) -> list[Difference]:
        """Every row against the first of its own network, and each network against the first."""
        known = [pair for pair in zip(self._rows, self._samples, strict=True) if pair[1]]
        firsts = {network(row): (row, drawn) for row, drawn in reversed(known)}
        within = [
            difference(firsts[network(pair[0])], pair)
            for pair in known
            if pair[0] is not firsts[network(pair[0])][0]
        ]
        across = [difference(known[0], one) for one in known[1:] if one[0] in first_rows(firsts)]
        return within + across


def network(row: Row) -> tuple[str, str]:
    """What rows of one network share."""
    return row.method.split(",")[0], row.input_size


def first_rows(firsts: Mapping[tuple[str, str], tuple[Row, Mapping[str, Array]]]) -> list[Row]:
    """The first row of each network."""
    return [row for row, _ in firsts.values()]


def difference(
    first: tuple[Row, Mapping[str, Array]], second: tuple[Row, Mapping[str, Array]]
) -> Difference:
    """How much better the AP of the first row is, drawn on the same pictures."""
    points = first[0].figures["ap"] - second[0].figures["ap"]
    interval = paired_interval(first[1]["ap"], second[1]["ap"])
    return Difference(first[0].title, second[0].title, "ap", points, interval)


def run_estimator(
    scorer: Scorer, estimator: PoseEstimator, variants: Sequence[Variant], name: str
) -> None:
    """One forward pass, one row a variant."""
    card = estimator.runtime.card
    if SKELETONS[card.skeleton] is not COCO17:
        raise UsageError(
            f"{name}: `eval coco` needs weights for coco17, got {card.skeleton};"
            " use `livepose eval mpii`"
        )
    data, choice = scorer.data, scorer.data.choice
    sample = data.boxes(card.alignment)
    total = sum(len(boxed) for boxed in sample)
    advance = data.progress(name, total)
    found = predict(estimator, data.store, sample, variants, choice.loading, advance)
    cost = cost_of(estimator)
    for variant in variants:
        speed = None
        if choice.speed:
            speed = measure_speed(
                estimator, data.store, sample, variant, data.detector, choice.loading
            )
        row = Row(
            method=f"{name}, {variant.label}",
            backbone=backbone_of(card.network),
            input_hw=card.input_hw,
            figures={},
            cost=cost,
            speed=speed,
            boxes=choice.boxes,
        )
        results = coco_results(sample, found[variant], card.input_hw, scorer.sigmas)
        scorer.add(row, results)


def cost_of(estimator: PoseEstimator) -> Cost | None:
    """Parameters and GFLOPs of an estimator's network, where it can be known."""
    own: Cost | None = getattr(estimator.runtime, "cost", None)
    card = estimator.runtime.card
    return own or network_cost(card.network, card.keypoints, card.input_hw)


def run_direct(scorer: Scorer, peer: DirectPeer) -> None:
    """A row of a peer that answers with keypoints."""
    data = scorer.data
    sample = data.boxes("pixel_centre")
    advance = data.progress(peer.name, len(sample))
    results = direct_results(peer, data.store, sample, scorer.sigmas, advance)
    row = Row(
        method=peer.name,
        backbone=peer.backbone,
        input_hw=peer.input_hw,
        figures={},
        cost=peer.cost,
        speed=direct_speed(peer, data.store, sample) if data.choice.speed else None,
        boxes="own" if peer.own_boxes else data.choice.boxes,
    )
    scorer.add(row, results)
