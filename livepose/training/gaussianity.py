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
    """Fits a quadratic to the logarithm around every peak of heatmaps (P, K, H, W), as they are
    decoded; ``labelled`` (P, K) says which of them count.
    """
    windows = _log_windows(heatmaps[labelled].astype(np.float64))
    if not len(windows):
        return Gaussianity(float("nan"), float("nan"), 0)
    y, x = (axis.ravel() for axis in np.mgrid[-REACH : REACH + 1.0, -REACH : REACH + 1.0])
    design = np.stack([np.ones_like(x), x, y, x * x / 2, y * y / 2, x * y], axis=1)
    fitted = windows @ np.linalg.pinv(design).T
    left_over = np.sqrt(np.mean((windows - fitted @ design.T) ** 2, axis=1))
    varied = windows.std(axis=1)
    curvature = -(fitted[:, 3] + fitted[:, 4]) / 2
    peaked = curvature[curvature > 0]
    sigma = float(np.median(1 / np.sqrt(peaked))) if len(peaked) else float("nan")
    return Gaussianity(float(np.mean(left_over / np.maximum(varied, 1e-12))), sigma, len(windows))


def _log_windows(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of the 25 cells around each inner peak, (N, 25), as shares of the peak."""
    y, x = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[2])
    highest = maps[np.arange(len(maps)), y, x]
    size = 2 * REACH + 1
    windows = np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
    rows, columns = y - REACH, x - REACH
    kept = (rows >= 0) & (columns >= 0) & (highest > 0)
    kept &= (rows < windows.shape[1]) & (columns < windows.shape[2])
    cells = windows[np.flatnonzero(kept), rows[kept], columns[kept]].reshape(-1, size * size)
    return np.asarray(np.log(np.maximum(cells / highest[kept][:, None], FLOOR)))
