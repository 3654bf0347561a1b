"""What each doubling of a training brings: the tables of ``weights/README.md`` as a plot.

    python -m studies.learning_curve --plot docs/learning.png

A table counts when its rows begin with ``N thousand`` and hold figures, with their intervals where
they were measured, as in ``39.2 [36.7, 41.9]``. The first of a row is drawn over the logarithm of
N, with the straight line through all rows of the table, which says how far the bar is.
"""

import re
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from livepose.cli import guarded
from livepose.errors import DataError
from livepose.evaluation.report import figure_with, save

ROW = re.compile(r"\| (\d+) thousand (?:\|.*?)??\| ([\d.]+)(?: \[([\d.]+), ([\d.]+)\])? \|")
PANELS = (("crops, pose network", "AP, annotated boxes", 55), ("images, detector", "AP50", 75))


class Point(NamedTuple):
    """One file of weights: what it had seen, and how good it was with its 95 % interval or none."""

    thousands: float
    value: float
    low: float
    high: float


def tables(markdown: str) -> list[list[Point]]:
    """The tables of a text that have such rows, in order."""
    found = [ROW.match(line) for line in markdown.splitlines()]
    runs = groupby(found, key=lambda match: match is not None)
    return [[as_point(match) for match in run if match] for is_row, run in runs if is_row]


def as_point(row: re.Match[str]) -> Point:
    """The figures of one row."""
    thousands, value, low, high = row.groups()
    return Point(float(thousands), float(value), float(low or value), float(high or value))


def line_through(points: Sequence[Point]) -> tuple[float, float]:
    """Gain of a doubling, and the value at one thousand, by least squares."""
    slope, start = np.polyfit(np.log2([p.thousands for p in points]), [p.value for p in points], 1)
    return float(slope), float(start)


def read_tables(cards: Path) -> list[list[Point]]:
    """One table for each panel; DataError where the file has not just these."""
    try:
        found = tables(cards.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{cards} cannot be read ({error}); give --cards FILE, or start in the repository"
        ) from error
    if len(found) != len(PANELS) or min(map(len, found)) < 2:
        raise DataError(
            f"{cards}: expected {len(PANELS)} tables with two rows or more of N thousand, got "
            f"{[len(table) for table in found]} rows"
        )
    return found


def draw(found: Sequence[Sequence[Point]], plot: Path) -> None:
    """Draws both tables and prints what a doubling brings and where the bar lies."""
    figure, axes = figure_with(len(PANELS), share_y=False)
    for axis, points, (seen, measure, bar) in zip(axes, found, PANELS, strict=True):
        slope, start = line_through(points)
        needed = 2 ** ((bar - start) / slope)
        print(f"{seen}: {slope:.1f} {measure} a doubling; {bar} at {needed:.0f} thousand")
        x, y = [p.thousands for p in points], np.array([p.value for p in points])
        spread = np.abs(np.array([[p.low for p in points], [p.high for p in points]]) - y)
        axis.errorbar(x, y, spread, fmt="o", capsize=3)
        ends = np.array([min(x), needed])
        axis.plot(ends, start + slope * np.log2(ends), "--", color="grey")
        axis.axhline(bar, color="tab:green", linewidth=1)
        axis.set_xscale("log", base=2)
        ticks = [t for t in 2 ** np.arange(5, 14) if min(x) / 2 <= t <= 2 * needed]
        axis.set_xticks(ticks, [str(t) for t in ticks])
        axis.set(xlabel=f"thousand {seen}", ylabel=measure)
        axis.grid(alpha=0.3)
    save(figure, plot)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(
        prog="python -m studies.learning_curve", description="What each doubling brings, drawn."
    )
    parser.add_argument("--cards", type=Path, default=Path("weights/README.md"), metavar="FILE")
    parser.add_argument("--plot", type=Path, default=Path("docs/learning.png"), metavar="FILE")
    options = parser.parse_args(arguments)
    return guarded(lambda: draw(read_tables(options.cards), options.plot))


if __name__ == "__main__":
    sys.exit(main())
