"""Accuracy against time as a table and a plot."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from livepose.errors import SinkError
from livepose.offline.evaluation.pareto import Point
from livepose.offline.evaluation.plots import figure_with, save


def write_csv(points: Sequence[Point], path: Path) -> None:
    """One line a combination."""
    names = list(Point.__dataclass_fields__)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([rounded(getattr(one, name)) for name in names] for one in points)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def rounded(value: object) -> object:
    """Two digits for numbers with a fraction."""
    return round(value, 2) if isinstance(value, float) else value


def plot(points: Sequence[Point], path: Path) -> None:
    """AP against ms; the front joined and named, with its intervals as bars."""
    figure, (panel,) = figure_with(1)
    figure.set_size_inches(8, 5)
    for decode in dict.fromkeys(one.decode for one in points):
        own = [one for one in points if one.decode == decode]
        panel.plot([one.ms for one in own], [one.ap for one in own], "o", alpha=0.6, label=decode)
    front = [one for one in points if one.on_front]
    spread = np.array([[one.ap - one.ap_low, one.ap_high - one.ap] for one in front]).T
    panel.errorbar(
        [one.ms for one in front],
        [one.ap for one in front],
        yerr=np.clip(np.nan_to_num(spread), 0.0, None),
        color="black",
        linewidth=0.8,
        capsize=2,
    )
    for number, one in enumerate(front):
        place = (8, -12 - 10 * (number % 3))
        panel.annotate(
            one.label, (one.ms, one.ap), xytext=place, textcoords="offset points", fontsize=7
        )
    panel.set_xlabel("ms for one picture, all people (detection shared over its interval)")
    panel.set_ylabel("COCO AP with 95 % interval")
    panel.legend()
    save(figure, path)
