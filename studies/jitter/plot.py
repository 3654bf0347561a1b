"""Jitter against lag, one curve a filter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from livepose.evaluation.report import figure_with, save
from studies.jitter.curves import Point
from studies.jitter.measures import Measures

FIGURES = {
    "lag_ms": "lag in motion, ms",
    "error_percent": "error in motion, RMS, % of body size",
}


def plot(points: Sequence[Point], presets: Mapping[str, Measures], path: Path) -> None:
    """Draws trembling at rest against lag, and against the whole error, in motion."""
    figure, panels = figure_with(2)
    for axes, (name, label) in zip(panels, FIGURES.items(), strict=True):
        for curve in dict.fromkeys(point.curve for point in points):
            own = [point.measures for point in points if point.curve == curve]
            own.sort(key=lambda one: getattr(one, name))
            x = [getattr(one, name) for one in own]
            axes.plot(x, [one.tremble_percent for one in own], marker=".", label=curve)
        for preset, one in presets.items():
            if preset != "one-euro":
                _mark(axes, getattr(one, name), one.tremble_percent, preset)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("trembling at rest, RMS, % of body size", fontsize=9)
    panels[0].legend(fontsize=7)
    save(figure, path)


def _mark(axes: Any, x: float, y: float, text: str) -> None:
    axes.plot(x, y, "k.", markersize=9, zorder=3)
    axes.annotate(text, (x, y), xytext=(6, 4), textcoords="offset points", fontsize=8)
