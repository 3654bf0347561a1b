"""Figures of a contest over all scenes, with intervals, as rows, Markdown and JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.evaluation.bootstrap import Interval, draws, percentile_interval
from studies.identity.contest import Played
from studies.identity.scoring import combined

Floats = NDArray[np.float64]

HEADINGS = ("tracker", "IDF1", "switches", "fragments", "MOTA", "ids", "frames looked at")


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
    looked: float
    """Part of the frames at which the detector worked."""

    def cells(self) -> list[str]:
        """As text, in the order of ``HEADINGS``."""
        return [
            self.tracker, f"{self.idf1:.1f} {self.idf1_interval}", str(self.switches),
            str(self.fragments), f"{self.mota:.1f}", str(self.ids), f"{100 * self.looked:.0f} %",
        ]  # fmt: skip


def summarised(everything: Sequence[Played]) -> list[Row]:
    """One row a tracker, in the order in which they first played."""
    names = dict.fromkeys(one.tracker for one in everything)
    return [_row(name, [one for one in everything if one.tracker == name]) for name in names]


def _row(name: str, plays: Sequence[Played]) -> Row:
    whole = combined([one.figures for one in plays])
    return Row(
        tracker=name,
        scenes=len(plays),
        idf1=whole["IDF1"],
        idf1_interval=percentile_interval(resampled_idf1(plays)),
        switches=int(whole["IDSW"]),
        fragments=int(whole["Frag"]),
        mota=whole["MOTA"],
        ids=sum(one.ids for one in plays),
        looked=sum(one.looks for one in plays) / sum(one.frames for one in plays),
    )


def resampled_idf1(plays: Sequence[Played]) -> Floats:
    """IDF1 in percent for each resample of the scenes."""
    names = ("IDTP", "IDFP", "IDFN")
    counts = np.array([[one.figures["Identity"][name] for name in names] for one in plays])
    right, wrong, missed = (draws(len(plays)) @ counts).T
    return np.asarray(100.0 * right / np.maximum(right + 0.5 * (wrong + missed), 1))


def markdown(rows: Sequence[Row]) -> str:
    """The table for a document."""
    lines = [list(HEADINGS), ["---", *["---:"] * (len(HEADINGS) - 1)]]
    lines += [row.cells() for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def document(rows: Sequence[Row], everything: Sequence[Played]) -> dict[str, Any]:
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
