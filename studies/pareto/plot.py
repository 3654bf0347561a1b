"""Accuracy against time as tables and a plot."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from livepose.errors import SinkError
from livepose.evaluation.bootstrap import Interval
from livepose.evaluation.plots import figure_with, save
from studies.pareto.grid import Point

MARKERS = "o^sDvP"


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


def markdown(points: Sequence[Point]) -> str:
    """The front for a document, numbered as in the plot."""
    lines = [
        "|  | Decoder | Flip test | Input | Precision | Detector | AP | ms |",
        "| ---: | --- | --- | --- | --- | --- | ---: | ---: |",
    ]
    for number, one in enumerate((one for one in points if one.on_front), 1):
        flip = "no" if one.flip == "none" else "yes"
        words = f"{one.decode} | {flip} | {one.input_size} | {one.precision} | {one.looks}"
        ap = f"{one.ap:.1f} {Interval(one.ap_low, one.ap_high)}"
        lines.append(f"| {number} | {words} | {ap} | {one.ms:.1f} |")
    return "\n".join(lines) + "\n"


def plot(points: Sequence[Point], path: Path) -> None:
    """AP against ms: decoders by colour, sizes by marker, the front numbered and named."""
    figure, (panel,) = figure_with(1)
    figure.set_size_inches(9, 4.5)
    sizes = list(dict.fromkeys(one.input_size for one in points))
    decoders = list(dict.fromkeys(one.decode for one in points))
    for number, decode in enumerate(decoders):
        for size in sizes:
            own = [one for one in points if (one.decode, one.input_size) == (decode, size)]
            panel.plot(
                [one.ms for one in own],
                [one.ap for one in own],
                MARKERS[sizes.index(size) % len(MARKERS)],
                color=f"C{number}",
                alpha=0.6,
                markersize=5,
                label=f"{decode} {size}",
            )
    draw_front(panel, [one for one in points if one.on_front])
    panel.set_xlabel("ms for one picture, all people (detection shared over its interval)")
    panel.set_ylabel("COCO AP")
    panel.legend(loc="lower right", fontsize=6, ncols=len(decoders))
    save(figure, path)


def draw_front(panel: Any, front: Sequence[Point]) -> None:
    """Joined and numbered, its 95 % intervals as a band; the names in a list beside."""
    times = [one.ms for one in front]
    low = [float(np.nan_to_num(one.ap_low, nan=one.ap)) for one in front]
    high = [float(np.nan_to_num(one.ap_high, nan=one.ap)) for one in front]
    panel.fill_between(times, low, high, color="black", alpha=0.08, linewidth=0)
    panel.plot(times, [one.ap for one in front], color="black", linewidth=0.8)
    for number, one in enumerate(front, 1):
        panel.annotate(
            str(number),
            (one.ms, one.ap),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    names = [f"{number}  {one.label}" for number, one in enumerate(front, 1)]
    panel.text(
        1.02,
        1.0,
        "\n".join(["best at its time (band: 95 %)", *names]),
        transform=panel.transAxes,
        va="top",
        fontsize=7,
    )
