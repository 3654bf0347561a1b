"""What every decoder does first: check the heatmaps and lay them out for the kernels."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LaidOut = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""Maps (P, K, H, W), the same memory as signed and unsigned integers, bits of +inf and -inf."""


def _integers(real: Any, signed: Any, unsigned: Any) -> tuple[Any, Any, Any, Any]:
    infinity = np.array([np.inf], dtype=real)
    return np.dtype(signed), np.dtype(unsigned), infinity.view(signed), (-infinity).view(unsigned)


_INTEGERS: dict[Any, tuple[Any, Any, Any, Any]] = {
    np.dtype(np.float32): _integers(np.float32, np.int32, np.uint32),
    np.dtype(np.float64): _integers(np.float64, np.int64, np.uint64),
}
"""Signed and unsigned integers of a float's size, and the bits of +inf and -inf in them, each in
an array (1,): a tuple of numbers would cost more on its way into a kernel.
"""


def lay_out(heatmaps: ArrayLike) -> LaidOut:
    """The heatmaps themselves where they fit, a converted copy where they do not."""
    maps = np.asarray(heatmaps)
    if maps.ndim != 4 or 0 in maps.shape[2:]:
        raise ValueError(
            "heatmaps: expected shape (people, keypoints, height, width) with at least one cell, "
            f"got {maps.shape}"
        )
    if maps.dtype.kind != "f":
        raise ValueError(
            f"heatmaps: expected float16, float32 or float64, got {maps.dtype}; convert them first"
        )
    wide = maps.dtype.itemsize > 4
    maps = np.ascontiguousarray(maps, dtype=np.float64 if wide else np.float32)
    signed, unsigned, positive_inf, negative_inf = _INTEGERS[maps.dtype]
    return maps, maps.view(signed), maps.view(unsigned), positive_inf, negative_inf
