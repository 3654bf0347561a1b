"""The reliability plot: how much of the errors one and two sigma hold, by predicted sigma."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.calibration.collect import Sightings
from livepose.calibration.fit import SHARES, coverage, drawn_sigma, is_near
from livepose.evaluation.plots import figure_with, save

Floats = NDArray[np.float64]

BINS = 12


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
        for number, (name, mask) in enumerate(groups.items()):
            if not (mask & is_near(seen)).any():
                continue
            at, one, two = binned(predicted[mask], seen.select(mask))
            axes.plot(at, one, marker=".", color=f"C{number}", label=name)
            axes.plot(at, two, marker=".", color=f"C{number}", linestyle="--")
        for share in SHARES:
            axes.axhline(share, color="grey", linestyle=":")
        axes.set_xscale("log")
        axes.set_ylim(0, 1)
        axes.set_xlabel("predicted sigma, heatmap px")
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share within the inner and (dashed) outer ellipse")
    panels[0].legend(fontsize=7)
    save(figure, path)


def binned(sigma: Floats, seen: Sightings) -> tuple[Floats, Floats, Floats]:
    """Mean predicted sigma, and the shares within one and two, in bins of equal size."""
    near = is_near(seen)
    sigma, seen = sigma[near], seen.select(near)
    parts = np.array_split(np.argsort(sigma), min(BINS, max(1, len(sigma) // 20)))
    shares = [coverage(sigma[part], seen.select(part)) for part in parts]
    one, two = np.array(shares).T
    return np.array([sigma[part].mean() for part in parts]), one, two
