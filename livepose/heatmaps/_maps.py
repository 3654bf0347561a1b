"""What every decoder does first: check the heatmaps and lay them out for the kernels."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LaidOut = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[Any, Any]]
"""Maps (P, K, H, W), the same memory as signed and unsigned integers, bits of +inf and -inf."""

_INTEGERS: dict[Any, tuple[Any, Any, tuple[Any, Any]]] = {
    np.dtype(np.float32): (
        np.dtype(np.int32),
        np.dtype(np.uint32),
        (np.int32(0x7F800000), np.uint32(0xFF800000)),
    ),
    np.dtype(np.float64): (
        np.dtype(np.int64),
        np.dtype(np.uint64),
        (np.int64(0x7FF0000000000000), np.uint64(0xFFF0000000000000)),
    ),
}
"""Signed and unsigned integers of a float's size, and the bits of +inf and -inf in them."""


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
    signed, unsigned, infinities = _INTEGERS[maps.dtype]
    return maps, maps.view(signed), maps.view(unsigned), infinities
