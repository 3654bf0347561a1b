"""Tables that say which pixels a resampled picture is made of, and how much each of them weighs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

    @classmethod
    def empty(cls, crops: int, input_hw: tuple[int, int], samples: int) -> "Taps":
        """Tables that gather black crops from the first pixel."""
        rows, columns = ((crops, side, 2 * samples) for side in input_hw)
        return cls(
            np.zeros(rows, np.int32),
            np.zeros(columns, np.int32),
            np.zeros(rows, np.float32),
            np.zeros(columns, np.float32),
        )
