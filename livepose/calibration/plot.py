"""The reliability plot: predicted against real error, in bins."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.calibration.collect import Sightings
from livepose.calibration.fit import drawn_sigma, squared_error
from livepose.evaluation.plots import figure_with, save

Floats = NDArray[np.float64]

BINS = 12
TICKS = (0.5, 1.0, 2.0, 4.0)


def plot(seen: Sightings, sigma: Floats, path: Path) -> None:
    """Left: the heatmap's shape as it is; right: calibrated."""
    figure, panels = figure_with(2)
    groups = {
        "seen": ~seen.blurred & ~seen.hidden,
        "hidden": ~seen.blurred & seen.hidden,
        "blurred": seen.blurred,
        "score under 0.2": ~seen.blurred & (seen.score < 0.2),
    }
    titles = ("the heatmap's shape alone", "shape and score, cross-validated")
    for axes, predicted, title in zip(panels, (drawn_sigma(seen), sigma), titles, strict=True):
        for name, mask in groups.items():
            if not mask.any():
                continue
            axes.plot(*binned(predicted[mask], squared_error(seen)[mask]), marker=".", label=name)
        edges = [0.5, 6.0]
        axes.plot(edges, edges, color="grey", linestyle=":", label="right")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(TICKS, [f"{tick:g}" for tick in TICKS])
            axis.set_ticks([], minor=True)
        axes.set_xlabel("predicted sigma, heatmap px")
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("real error, RMS of x and y, heatmap px")
    panels[0].legend(fontsize=7)
    save(figure, path)


def binned(sigma: Floats, squared: Floats) -> tuple[Floats, Floats]:
    """Mean predicted and real error in bins of equal size."""
    parts = np.array_split(np.argsort(sigma), min(BINS, max(1, len(sigma) // 20)))
    predicted = [np.sqrt(np.mean(sigma[part] ** 2)) for part in parts]
    real = [np.sqrt(np.mean(squared[part]) / 2) for part in parts]
    return np.array(predicted), np.array(real)
