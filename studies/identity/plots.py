"""Who stays who against how often the detector looks, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from livepose.evaluation.plots import figure_with, save
from studies.identity.summary import Row


def plot(rows: Sequence[Row], path: Path) -> None:
    """IDF1 with its interval, and MOTA, against the part of frames that were looked at."""
    figure, panels = figure_with(2)
    own = [row for row in rows if row.tracker.startswith("livepose, every")]
    own = sorted((row for row in own if "alone" not in row.tracker), key=lambda row: row.looked)
    others = [row for row in rows if row not in own and "truth" not in row.tracker]
    for panel, name in zip(panels, ("idf1", "mota"), strict=True):
        panel.plot([row.looked for row in own], [getattr(row, name) for row in own], "o-")
        for row in own:
            every = row.tracker.removeprefix("livepose, every ")
            panel.annotate(
                every, (row.looked, getattr(row, name)), xytext=(-4, 6), fontsize=7,
                textcoords="offset points",
            )  # fmt: skip
        for row in others:
            panel.plot(row.looked, getattr(row, name), "*", ms=11, label=row.tracker)
        panel.set_xlabel("part of frames looked at, by interval")
        panel.set_title(f"{name.upper()}, %")
    for row in own:
        panels[0].vlines(row.looked, row.idf1_interval.low, row.idf1_interval.high, alpha=0.3)
    panels[1].legend(fontsize=7, loc="lower right")
    save(figure, path)
