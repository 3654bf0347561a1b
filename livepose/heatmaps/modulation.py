"""The Gaussian with which DARK smooths ("modulates") a network's heatmap before the logarithm."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SMALL: dict[int, tuple[int, ...]] = {
    1: (1,),
    3: (1, 2, 1),
    5: (1, 4, 6, 4, 1),
    7: (2, 7, 14, 18, 14, 7, 2),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}
"""OpenCV's fixed tables for small ``GaussianBlur`` kernels; the formula below gives others."""


@lru_cache(maxsize=32)
def blur_taps(blur_kernel: int) -> NDArray[np.float64]:
    """Weights of the blur along one axis, (k,), sum 1; read-only.

    Up to 9 taps they are OpenCV's fixed binomial-like tables, beyond that a Gaussian of
    ``sigma = 0.3 * ((k - 1) / 2 - 1) + 0.8``. 1 is no blur.

    Raises
    ------
    ValueError
        When ``blur_kernel`` is not an odd positive integer.
    """
    if not isinstance(blur_kernel, int | np.integer) or blur_kernel < 1 or blur_kernel % 2 == 0:
        raise ValueError(
            f"blur_kernel: expected an odd integer from 1 (no blur) on, got {blur_kernel!r}"
        )
    if blur_kernel in _SMALL:
        taps = np.array(_SMALL[blur_kernel], dtype=np.float64)
    else:
        sigma = 0.3 * ((blur_kernel - 1) * 0.5 - 1) + 0.8
        taps = np.exp(-((np.arange(blur_kernel) - blur_kernel // 2) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    taps.flags.writeable = False
    return taps
