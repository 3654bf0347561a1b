"""From heatmaps to coordinates: argmax, quarter shift, integral and DARK.

What all decoders share:

- Heatmaps come as (P, K, H, W): people, keypoints, rows, columns; float16, float32 or float64,
  in any memory layout. They are never written to.
- Results are float64, x (column) before y (row), in heatmap pixels with integers at the centres
  of cells. Where several cells share the maximum, the first in row-major order is taken.
- The score is the value of the highest cell of the map as it came.
- A map without a positive cell says nothing, and neither does one with a cell that is NaN or
  infinite (a network that overflowed): NaN with score 0, never (0, 0).
- Anything but four axes, a map without a cell, or numbers that are not floats is a ValueError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livepose.heatmaps import _kernels


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Where P people's K keypoints are, in heatmap pixels.

    Attributes
    ----------
    xy : float64 (P, K, 2)
        Column and row; NaN where nothing was found.
    scores : float64 (P, K)
        Value of the highest cell; 0 where nothing was found.
    covariance : float64 (P, K, 2, 2)
        Of x and y in heatmap px²; NaN where the decoder does not know it.
    """

    xy: NDArray[np.float64]
    scores: NDArray[np.float64]
    covariance: NDArray[np.float64]


def decode_argmax(heatmaps: ArrayLike) -> Decoded:
    """Highest cell of each map, (P, K, H, W); covariance NaN.

    Raises
    ------
    ValueError
        When the heatmaps are not four-dimensional floats.

    Examples
    --------
    >>> import numpy as np
    >>> heatmaps = np.zeros((1, 1, 4, 6))
    >>> heatmaps[0, 0, 2, 5] = 0.7
    >>> decode_argmax(heatmaps).xy.tolist()
    [[[5.0, 2.0]]]
    """
    return _peaks(as_contiguous(heatmaps))


def decode_shift(heatmaps: ArrayLike) -> Decoded:
    """Highest cell of each map, (P, K, H, W), moved by the standard quarter pixel; covariance NaN.

    Each coordinate moves by 0.25 towards the higher of its two neighbours (not at all where they
    are equal), if the cell lies in columns 2..W-2 and rows 2..H-2. This is the rule of HRNet and
    SimpleBaseline, which both tests have to pass at once.

    Raises
    ------
    ValueError
        When the heatmaps are not four-dimensional floats.

    References
    ----------
    Newell, Yang, Deng: Stacked hourglass networks for human pose estimation. ECCV 2016.
    doi:10.1007/978-3-319-46484-8_29
    """
    maps = as_contiguous(heatmaps)
    found = _peaks(maps)
    _kernels.shift_quarter(maps, found.xy)
    return found


def decode_integral(heatmaps: ArrayLike) -> Decoded:
    """Mean position under each map taken as a distribution (soft-argmax), (P, K, H, W).

    The maps are heat already (as livepose's networks give it), and weights are their positive
    part. Covariance is the second central moment of that distribution, so it holds the width of
    the peak and of everything else in the map.

    Raises
    ------
    ValueError
        When the heatmaps are not four-dimensional floats.

    References
    ----------
    Sun, Xiao, Wei, Liang, Wei: Integral human pose regression. ECCV 2018.
    doi:10.1007/978-3-030-01231-1_33
    """
    maps = as_contiguous(heatmaps)
    found = _peaks(maps)
    _kernels.decode_integral_maps(maps, found.xy, found.scores, found.covariance)
    return found


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
    """Weights along one axis, (k,), sum 1, of the Gaussian by which DARK modulates; read-only.

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


def decode_dark(heatmaps: ArrayLike, blur_kernel: int = 3) -> Decoded:
    """Sub-pixel centre and covariance of each map by DARK, (P, K, H, W).

    The map is smoothed with a Gaussian and rescaled to its old maximum (modulation), raised to
    1e-10, and its logarithm is expanded to second order at the highest cell m of the raw map:
    the centre is ``m - H^-1 g`` with gradient g and Hessian H, and the covariance is ``-H^-1``,
    that of the Gaussian which DARK assumes. The smoothing is part of that Gaussian: the
    covariance is about the network's peak width plus the variance of the blur (0.5 px² for
    kernel 3).

    Where that Gaussian does not exist or was not seen, and what is done there:

    - **Border.** The derivatives reach two cells. A maximum outside columns 2..W-3 and rows
      2..H-3 stays where it is; covariance NaN. (As in the reference.)
    - **Step of more than 2 cells** along x or y. The derivatives were measured within 2 cells of
      the maximum and say nothing beyond, where the reference goes up to hundreds of pixels. The
      step keeps its direction and is shortened to 2 cells; covariance as measured. On noisy
      Gaussians this was nearer to the truth than the full step, and than no step.
    - **Hessian not negative definite** (saddle, bowl): there is no maximum to step to; the
      reference steps to the saddle point. Each coordinate moves a quarter pixel up the gradient
      instead, which is all that can be said; covariance NaN.
    - **Hessian singular** (a determinant of exactly 0): stays, covariance NaN. (As in the
      reference.)

    Only the cells around the maximum are smoothed: the rescaling drops out of the derivatives
    (unless a sample is below 1e-10, and only then the whole map is). Time on one core: below
    10 µs for 17 maps of 32x24.

    Parameters
    ----------
    heatmaps : array_like of shape (P, K, H, W)
    blur_kernel : int
        Odd width of the smoothing, that of the checkpoint (its ``TEST.BLUR_KERNEL``). 1 is none.

    Raises
    ------
    ValueError
        When the heatmaps are not four-dimensional floats, or the kernel is even or below 1.

    References
    ----------
    Zhang, Zhu, Dai, Ye, Zhu: Distribution-aware coordinate representation for human pose
    estimation. CVPR 2020, sections 3.1 to 3.3. doi:10.1109/CVPR42600.2020.00712,
    arXiv 1910.06278

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:32, :24]
    >>> heatmap = np.exp(-((x - 10.3) ** 2 + (y - 20.6) ** 2) / (2 * 1.5**2))
    >>> found = decode_dark(heatmap[None, None], blur_kernel=1)
    >>> found.xy.round(6).tolist()
    [[[10.3, 20.6]]]
    >>> (found.covariance.round(6) + 0.0).tolist()
    [[[[2.25, 0.0], [0.0, 2.25]]]]
    """
    maps, taps = as_contiguous(heatmaps), blur_taps(blur_kernel)
    found = _empty(maps)
    _kernels.decode_dark_maps(maps, taps, found.xy, found.scores, found.covariance)
    return found


DECODERS: dict[str, Callable[[ArrayLike], Decoded]] = {
    "argmax": decode_argmax,
    "shift": decode_shift,
    "integral": decode_integral,
    "dark": decode_dark,
}
"""Decoders by the name that the command line uses."""


def decode(heatmaps: ArrayLike, method: str = "dark", blur_kernel: int = 3) -> Decoded:
    """Decode heatmaps (P, K, H, W) by the decoder of that name; only DARK takes the kernel.

    Raises
    ------
    ValueError
        When there is no decoder of that name, and whatever the decoder raises.
    """
    if method == "dark":
        return decode_dark(heatmaps, blur_kernel)
    if method not in DECODERS:
        raise ValueError(f"method: expected one of {', '.join(DECODERS)}, got {method!r}")
    return DECODERS[method](heatmaps)


def _empty(maps: NDArray[Any]) -> Decoded:
    """Results to be filled in."""
    shape = maps.shape[:2]
    return Decoded(np.empty((*shape, 2)), np.empty(shape), np.empty((*shape, 2, 2)))


def _peaks(maps: NDArray[Any]) -> Decoded:
    """Highest cells, covariance NaN."""
    found = _empty(maps)
    found.covariance.fill(np.nan)
    _kernels.find_peaks(maps, found.xy, found.scores)
    return found


def as_contiguous(heatmaps: ArrayLike) -> NDArray[Any]:
    """The heatmaps themselves where they fit, a converted copy where they do not.

    They are float32 or float64 then, in one piece of memory.
    """
    maps = np.asarray(heatmaps)
    if maps.ndim == 4 and maps.dtype == np.float32 and maps.flags.c_contiguous and maps.size:
        return maps  # as networks give them, every frame
    if maps.ndim != 4 or 0 in maps.shape[2:]:
        raise ValueError(
            "heatmaps: expected shape (people, keypoints, height, width) with at least one cell, "
            f"got {maps.shape}"
        )
    if maps.dtype.kind != "f":
        raise ValueError(
            f"heatmaps: expected float16, float32 or float64, got {maps.dtype}; convert them first"
        )
    return np.ascontiguousarray(maps, dtype=np.float64 if maps.itemsize > 4 else np.float32)
