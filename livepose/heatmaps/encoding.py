"""From coordinates to the heatmaps that a network is trained on: DARK's, and the standard ones.

What both encoders share: coordinates are heatmap pixels (integers at the centres of cells), x
before y, (..., 2) with any leading axes; visibility has those leading axes. A joint's weight is
its visibility as given, or 0 where the joint is too far outside: its square of 3 sigma around
the centre, cut to integers towards zero, misses the map. A map is drawn where the weight is
above 0.5, and zero elsewhere. A coordinate that is not finite has weight 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livepose.heatmaps import _kernels


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Targets, float32 (..., H, W), and weights, float32 (...)."""

    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


def encode_dark(
    xy: ArrayLike, visible: ArrayLike, size_hw: tuple[int, int], sigma: float
) -> Encoded:
    """Gaussians around the true sub-pixel coordinates, over the whole map (DARK's encoding).

    The peak is 1 where the coordinate is an integer and the cells around a fractional one are
    lower; nothing is rounded and nothing is cut at 3 sigma.

    Parameters
    ----------
    xy : array_like of shape (..., 2)
        Heatmap pixels, unrounded.
    visible : array_like of shape (...)
        Becomes the weight.
    size_hw : (int, int)
        Rows and columns of a map.
    sigma : float
        Standard deviation in heatmap pixels.

    Returns
    -------
    Encoded
        ``targets`` float32 (..., H, W) and ``weights`` float32 (...).

    Raises
    ------
    ValueError
        When shapes do not fit together, the size is empty or sigma is not positive.

    References
    ----------
    Zhang et al., arXiv 1910.06278, section 3.2.

    Examples
    --------
    >>> encoded = encode_dark([[1.5, 1.0]], [1], (3, 4), sigma=1.0)
    >>> encoded.targets.astype(float).round(2).tolist()
    [[[0.2, 0.54, 0.54, 0.2], [0.32, 0.88, 0.88, 0.32], [0.2, 0.54, 0.54, 0.2]]]
    """
    points, weights = _joints(xy, visible, size_hw, sigma)
    weights = _weigh(points, weights, size_hw, sigma)
    return _draw(points, weights, size_hw, sigma, np.inf)


def encode_standard(
    xy: ArrayLike, visible: ArrayLike, size_hw: tuple[int, int], sigma: float
) -> Encoded:
    """Gaussians around the nearest cells, cut 3 sigma away along x and y (HRNet's encoding).

    The centre is ``int(coordinate + 0.5)``, cut towards zero, and has the value 1. Parameters,
    results and errors as in ``encode_dark``.

    Examples
    --------
    >>> standard = encode_standard([[1.5, 1.0]], [1], (3, 4), sigma=1.0)
    >>> standard.targets[0, 1].astype(float).round(2).tolist()
    [0.14, 0.61, 1.0, 0.61]
    """
    points, weights = _joints(xy, visible, size_hw, sigma)
    centres = np.trunc(points + 0.5)
    weights = _weigh(centres, weights, size_hw, sigma)
    return _draw(centres, weights, size_hw, sigma, 3.0 * sigma)


def _joints(
    xy: ArrayLike, visible: ArrayLike, size_hw: tuple[int, int], sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = np.asarray(xy, dtype=np.float64)
    weights = np.asarray(visible, dtype=np.float64)
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ValueError(f"xy: expected shape (..., 2), got {points.shape}")
    if weights.shape != points.shape[:-1]:
        raise ValueError(
            f"visible: expected shape {points.shape[:-1]} as xy has it, got {weights.shape}"
        )
    if len(size_hw) != 2 or min(size_hw) < 1:
        raise ValueError(f"size_hw: expected two positive integers, got {size_hw!r}")
    if not 0.0 < sigma < np.inf:
        raise ValueError(f"sigma: expected a positive number of pixels, got {sigma!r}")
    return points, weights


def _weigh(
    centres: NDArray[np.float64],
    weights: NDArray[np.float64],
    size_hw: tuple[int, int],
    sigma: float,
) -> NDArray[np.float64]:
    """0 where the square around the centre misses the map (NaN compares false)."""
    size_wh = np.array(size_hw[::-1])
    near = np.trunc(centres - 3.0 * sigma) < size_wh
    near &= np.trunc(centres + 3.0 * sigma + 1.0) >= 0
    return np.where(near.all(axis=-1), weights, 0.0)


def _draw(
    centres: NDArray[np.float64],
    weights: NDArray[np.float64],
    size_hw: tuple[int, int],
    sigma: float,
    reach: float,
) -> Encoded:
    targets = np.empty((weights.size, *size_hw), dtype=np.float32)
    _kernels.fill_gaussians(
        np.ascontiguousarray(centres.reshape(-1, 2)),
        weights.reshape(-1) > 0.5,
        float(sigma),
        float(reach),
        targets,
    )
    return Encoded(targets.reshape(*weights.shape, *size_hw), weights.astype(np.float32))
