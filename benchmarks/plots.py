"""The cost curves as one image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.curves import TARGET_FPS
from livepose.evaluation.report import figure_with, save

AXES = {"people": "people", "size": "frame size", "interval": "frames from detection to detection"}
TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
KINDS = {"fps": "frames/s", "age_ms": "age of the image, ms"}


def plot_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Frames/s above, age below, on logarithmic axes; bars are quartiles."""
    figure, _ = figure_with(len(AXES))
    figure.clear()
    figure.set_size_inches(4.0 * len(AXES), 6.0)
    panels = figure.subplots(len(KINDS), len(AXES), sharey="row")
    for row, (kind, title) in enumerate(KINDS.items()):
        for column, (name, axis) in enumerate(AXES.items()):
            panels[row][column].set_xlabel(axis)
            if name in curves:
                draw(panels[row][column], curves[name], kind)
        if "budget" in curves:
            draw(panels[row][0], curves["budget"], kind, f"--target-fps {TARGET_FPS:g}")
        panels[row][0].set_ylabel(title)
        low, high = panels[row][0].get_ylim()
        panels[row][0].set_yticks([tick for tick in TICKS if low <= tick <= high])
    save(figure, path)


def draw(panel: Any, points: Sequence[Mapping[str, Any]], kind: str, label: str = "") -> None:
    """One curve with its quartiles; a second one in the same panel has a label."""
    labels = [one["at"] for one in points]
    numbers = all(isinstance(place, int) for place in labels)
    places = labels if numbers else list(range(len(labels)))
    middle = [one[kind]["median"] for one in points]
    below = [one[kind]["median"] - one[kind]["q1"] for one in points]
    above = [one[kind]["q3"] - one[kind]["median"] for one in points]
    colour = "tab:orange" if label else "tab:blue"
    bars = panel.errorbar(places, middle, yerr=[below, above], fmt="o-", capsize=3, color=colour)
    if label:
        bars.set_label(label)
        panel.legend()
        return
    at_30_fps = 30 if kind == "fps" else 1e3 / 30
    panel.axhline(at_30_fps, color="grey", linewidth=0.8, linestyle="--", zorder=0)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter("")
    panel.set_xticks(places, [str(place) for place in labels])
    panel.grid(alpha=0.3)
