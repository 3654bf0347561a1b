"""How Gaussian heatmaps are: DARK takes the logarithm near a peak for a quadratic.

Source of the assumption: Zhang et al., arXiv 1910.06278, section 3.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REACH = 2
FLOOR = 1e-4
"""Cells below this share of the peak are taken for this share: no network means them."""


@dataclass(frozen=True)
class Gaussianity:
    """What a log-quadratic fit over 5 x 5 cells leaves over.

    ``residual`` is the mean over maps of RMS(log map - fit) / RMS(log map - its mean): 0 for a
    Gaussian, 1 where the fit explains nothing. ``sigma`` is the median deviation of the fitted
    Gaussians in cells, NaN where none has a peak. ``maps`` is how many were fitted: those whose
    peak lies two cells or more from the edge.
    """

    residual: float
    sigma: float
    maps: int


def measure_gaussianity(heatmaps: NDArray[np.floating], labelled: NDArray[np.bool_]) -> Gaussianity:
    """Fit a quadratic to the logarithm around every peak.

    Parameters
    ----------
    heatmaps : ndarray of shape (P, K, H, W)
        Heatmaps as they are decoded.
    labelled : bool ndarray of shape (P, K)
        Which of them count.
    """
    windows = _log_windows(heatmaps[labelled].astype(np.float64))
    if not len(windows):
        return Gaussianity(float("nan"), float("nan"), 0)
    design = _design()
    fitted = windows @ np.linalg.pinv(design).T
    left_over = windows - fitted @ design.T
    spread = windows - windows.mean(axis=1, keepdims=True)
    varied = np.maximum(_rms(spread), 1e-12)
    return Gaussianity(
        float(np.mean(_rms(left_over) / varied)), _median_sigma(fitted), len(windows)
    )


def _log_windows(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of the 25 cells around each inner peak, (N, 25)."""
    height, width = maps.shape[1:]
    peak = maps.reshape(len(maps), -1).argmax(axis=1)
    y, x = np.divmod(peak, width)
    highest = maps[np.arange(len(maps)), y, x]
    inner = (y >= REACH) & (y < height - REACH) & (x >= REACH) & (x < width - REACH)
    inner &= highest > 0
    steps = np.arange(-REACH, REACH + 1)
    which = np.flatnonzero(inner)
    cells = maps[
        which[:, None, None],
        y[which][:, None, None] + steps[:, None],
        x[which][:, None, None] + steps[None, :],
    ]
    share = cells.reshape(len(which), (2 * REACH + 1) ** 2) / highest[which][:, None]
    return np.asarray(np.log(np.maximum(share, FLOOR)))


def _design() -> NDArray[np.float64]:
    """1, x, y, x²/2, y²/2 and xy in each of the 25 cells."""
    steps = np.arange(-REACH, REACH + 1, dtype=np.float64)
    y, x = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    return np.stack([np.ones_like(x), x, y, x * x / 2, y * y / 2, x * y], axis=1)


def _rms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(values**2, axis=1)))


def _median_sigma(fitted: NDArray[np.float64]) -> float:
    curvature = -(fitted[:, 3] + fitted[:, 4]) / 2
    peaked = curvature > 0
    return float(np.median(1 / np.sqrt(curvature[peaked]))) if peaked.any() else float("nan")
