"""What every decoder does first: check the heatmaps and lay them out for the kernels."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_contiguous(heatmaps: ArrayLike) -> NDArray[Any]:
    """The heatmaps themselves where they fit, a converted copy where they do not.

    They are float32 or float64 then, in one piece of memory.
    """
    if isinstance(heatmaps, np.ndarray) and _is_usual(heatmaps):
        return heatmaps
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
    return np.ascontiguousarray(maps, dtype=np.float64 if maps.itemsize > 4 else np.float32)


def _is_usual(maps: NDArray[Any]) -> bool:
    """Whether maps are as networks give them: asked first, and little, as they come every frame."""
    return bool(
        maps.ndim == 4 and maps.dtype == np.float32 and maps.flags.c_contiguous and maps.size
    )
