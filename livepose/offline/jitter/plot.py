"""Jitter against lag, one curve a filter."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from livepose.offline.evaluation.plots import figure_with, save
from livepose.offline.jitter.curves import Point
from livepose.offline.jitter.measures import Measures

FIGURES = {
    "tremble_percent": "trembling at rest, RMS",
    "error_percent": "error in motion, RMS",
}


def plot(points: Sequence[Point], presets: Mapping[str, Measures], path: Path) -> None:
    """Draws trembling at rest, and error in motion, against lag in motion."""
    figure, panels = figure_with(2)
    for axes, (name, label) in zip(panels, FIGURES.items(), strict=True):
        for curve in dict.fromkeys(point.curve for point in points):
            own = [point.measures for point in points if point.curve == curve]
            own.sort(key=lambda one: one.lag_ms)
            axes.plot(
                [one.lag_ms for one in own],
                [getattr(one, name) for one in own],
                marker=".",
                label=curve,
            )
        for preset, one in presets.items():
            if preset != "one-euro":
                axes.annotate(
                    preset,
                    (one.lag_ms, getattr(one, name)),
                    xytext=(6, 4),
                    textcoords="offset points",
                    fontsize=8,
                )
                axes.plot(one.lag_ms, getattr(one, name), "k.", markersize=9, zorder=3)
        axes.set_xlabel("lag in motion, ms")
        axes.set_title(f"{label}, % of body size", fontsize=9)
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    panels[0].legend(fontsize=7)
    save(figure, path)
