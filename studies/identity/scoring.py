"""IDF1, switches, fragmentation and MOTA, by TrackEval, at IoU 0.5.

IDF1: Ristani et al., ECCV 2016 workshops, https://doi.org/10.1007/978-3-319-48881-3_2. The others:
Bernardin and Stiefelhagen, 2008, https://doi.org/10.1155/2008/246309.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from livepose import boxes
from livepose.boxes import Boxes
from livepose.errors import UsageError
from livepose.evaluation.metrics import Interval, draws, percentile_interval
from livepose.evaluation.report import markdown_table
from studies.identity.scenes import Truth

Floats = NDArray[np.float64]

LEAST_VISIBLE = 0.25
"""Whoever is seen less neither counts as missed nor as wrong."""
SAME_IOU = 0.5


@dataclass(frozen=True)
class Answer:
    """What a tracker said of one frame: ``boxes_xyxy`` (N, 4) and ``ids`` (N,)."""

    boxes_xyxy: Boxes
    ids: NDArray[np.int64]


def score(truths: Sequence[Truth], answers: Sequence[Answer]) -> dict[str, Any]:
    """TrackEval's figures for one scene, by family: Identity and CLEAR.

    Raises
    ------
    UsageError
        When TrackEval is not installed.
    """
    data = _prepared(truths, answers)
    return {name: metric.eval_sequence(data) for name, metric in _metrics().items()}


def combined(scores: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Figures over several scenes: IDF1 and MOTA in percent, the others as counts."""
    whole = {
        name: metric.combine_sequences({str(n): one[name] for n, one in enumerate(scores)})
        for name, metric in _metrics().items()
    }
    return {
        "IDF1": 100 * float(whole["Identity"]["IDF1"]),
        "MOTA": 100 * float(whole["CLEAR"]["MOTA"]),
        "IDSW": int(whole["CLEAR"]["IDSW"]),
        "Frag": int(whole["CLEAR"]["Frag"]),
    }


def _metrics() -> dict[str, Any]:
    try:
        from trackeval.metrics import CLEAR, Identity
    except ImportError as error:
        raise UsageError(
            "scores of identity need the package trackeval: pip install 'livepose[eval]'"
        ) from error
    chosen = {"THRESHOLD": SAME_IOU, "PRINT_CONFIG": False}
    return {"Identity": Identity(chosen), "CLEAR": CLEAR(chosen)}


def _prepared(truths: Sequence[Truth], answers: Sequence[Answer]) -> dict[str, Any]:
    """A scene in TrackEval's form; who is hardly seen is left out on both sides."""
    true_ids, own_ids, likeness = [], [], []
    names: dict[int, int] = {}
    for truth, answer in zip(truths, answers, strict=True):
        counted = truth.visible >= LEAST_VISIBLE
        kept = _kept(truth, answer, counted)
        true_ids.append(np.flatnonzero(counted))
        own = [names.setdefault(int(one), len(names)) for one in answer.ids[kept]]
        own_ids.append(np.array(own, dtype=np.int64))
        likeness.append(boxes.iou(truth.boxes_xyxy[counted], answer.boxes_xyxy[kept]))
    return {
        "gt_ids": true_ids,
        "tracker_ids": own_ids,
        "similarity_scores": likeness,
        "num_timesteps": len(true_ids),
        "num_gt_ids": len(truths[0].visible),
        "num_tracker_ids": len(names),
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, own_ids)),
    }


def _kept(truth: Truth, answer: Answer, counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Answers that are not best explained by somebody who is hardly seen."""
    overlap = boxes.iou(np.nan_to_num(truth.boxes_xyxy), answer.boxes_xyxy)
    overlap = np.where(overlap >= SAME_IOU, overlap + counted[:, None], 0.0)
    people, rows = linear_sum_assignment(overlap, maximize=True)
    ignored = (overlap[people, rows] > 0) & ~counted[people]
    kept = np.ones(len(answer.ids), dtype=bool)
    kept[rows[ignored]] = False
    return kept


@dataclass(frozen=True)
class Run:
    """One tracker on one scene: TrackEval's figures, and how many ids it used."""

    scene: str
    tracker: str
    figures: dict[str, Any]
    ids: int
    detected: int  # frames at which it saw detections ...
    frames: int  # ... of so many


HEADINGS = ("tracker", "IDF1", "switches", "fragments", "MOTA", "ids", "frames detected at")


@dataclass(frozen=True)
class Row:
    """One tracker over all scenes; scenes are drawn again for the 95 % interval of IDF1."""

    tracker: str
    scenes: int
    idf1: float
    idf1_interval: Interval
    switches: int
    fragments: int
    mota: float
    ids: int
    detected: float
    """Part of the frames at which the detector worked."""

    def cells(self) -> list[str]:
        """As text, in the order of ``HEADINGS``."""
        return [
            self.tracker, f"{self.idf1:.1f} {self.idf1_interval}", str(self.switches),
            str(self.fragments), f"{self.mota:.1f}", str(self.ids), f"{100 * self.detected:.0f} %",
        ]  # fmt: skip


def summarised(everything: Sequence[Run]) -> list[Row]:
    """One row a tracker, in the order in which they first ran."""
    names = dict.fromkeys(one.tracker for one in everything)
    return [_row(name, [one for one in everything if one.tracker == name]) for name in names]


def _row(name: str, runs: Sequence[Run]) -> Row:
    whole = combined([one.figures for one in runs])
    return Row(
        tracker=name,
        scenes=len(runs),
        idf1=whole["IDF1"],
        idf1_interval=percentile_interval(resampled_idf1(runs)),
        switches=int(whole["IDSW"]),
        fragments=int(whole["Frag"]),
        mota=whole["MOTA"],
        ids=sum(one.ids for one in runs),
        detected=sum(one.detected for one in runs) / sum(one.frames for one in runs),
    )


def resampled_idf1(runs: Sequence[Run]) -> Floats:
    """IDF1 in percent for each resample of the scenes."""
    names = ("IDTP", "IDFP", "IDFN")
    counts = np.array([[one.figures["Identity"][name] for name in names] for one in runs])
    right, wrong, missed = (draws(len(runs)) @ counts).T
    return np.asarray(100.0 * right / np.maximum(right + 0.5 * (wrong + missed), 1))


def markdown(rows: Sequence[Row]) -> str:
    """The table for a document."""
    return markdown_table(HEADINGS, [row.cells() for row in rows])


def document(rows: Sequence[Row], everything: Sequence[Run]) -> dict[str, Any]:
    """Everything as plain numbers, scene by scene too."""
    scenes = [
        {
            "scene": one.scene, "tracker": one.tracker, "ids": one.ids,
            "idf1": 100 * float(one.figures["Identity"]["IDF1"]),
            "switches": int(one.figures["CLEAR"]["IDSW"]),
            "fragments": int(one.figures["CLEAR"]["Frag"]),
        }
        for one in everything
    ]  # fmt: skip
    return {"rows": [asdict(row) for row in rows], "scenes": scenes}
