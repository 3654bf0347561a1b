"""Which pixels a crop is made of, as tables: for devices that only gather and add.

The tables are made by the kernels that cut crops on the processor, so both sample the same
places with the same weights. A table holds everything that differs from person to person and
from frame to frame; what a device does with it (``livepose.runtimes.frames.gather``) is always
the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.crops import _kernels
from livepose.crops.cut import MOST_SAMPLES

SAMPLES = (1, 2, 4)
"""Table sizes: samples along one axis of an output pixel, each of two taps."""


@dataclass(frozen=True, eq=False)
class Taps:
    """Tables of B crops of (h, w) pixels, T = 2 * samples taps along each axis.

    ``rows`` int32 (B, h, T) and ``columns`` int32 (B, w, T): their sums are places of pixels in
    one run of memory. ``row_weights`` and ``column_weights`` float32, the same shapes.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    row_weights: NDArray[np.float32]
    column_weights: NDArray[np.float32]


def samples_needed(matrices: NDArray[np.float64]) -> int:
    """The smallest of ``SAMPLES`` that is enough for crops by these maps, (P, 2, 3)."""
    needed = _kernels.most_samples(_maps(matrices), MOST_SAMPLES)
    return next(samples for samples in SAMPLES if samples >= needed)


def fill_taps(matrices: NDArray[np.float64], frames: NDArray[np.int64], taps: Taps) -> None:
    """Fill the first P tables for crops by these maps.

    Parameters
    ----------
    matrices : float64 (P, 2, 3)
        Affine maps from image to input pixels, upright (``CropGeometry.matrices``).
    frames : int64 (P, 3)
        The frame that each crop is cut from: place of its first pixel, its rows and columns.
    taps : Taps
        Filled; of at least P crops and ``samples_needed(matrices)`` samples.

    Raises
    ------
    ValueError
        When a map turns, or the tables are too small.
    """
    maps = _maps(matrices)
    needed = 2 * samples_needed(maps)
    if len(maps) > len(taps.rows) or needed > taps.rows.shape[2]:
        raise ValueError(
            f"taps: expected tables of at least {len(maps)} crops and {needed} taps, "
            f"got {len(taps.rows)} and {taps.rows.shape[2]}"
        )
    tables: tuple[Any, ...] = (taps.rows, taps.row_weights, taps.columns, taps.column_weights)
    places = np.ascontiguousarray(frames, dtype=np.int64)
    if not _kernels.fill_crop_taps(maps, places, MOST_SAMPLES, *tables):
        raise ValueError("matrices: expected maps that do not turn the crop, got one that does")


def _maps(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(matrices, dtype=np.float64)
