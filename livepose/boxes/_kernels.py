"""Numba kernels of boxes: for a handful of people NumPy's calls cost more than the work."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Floats = NDArray[np.float64]
Sides = tuple[float, float, float, float]
Edges = NDArray[np.float64] | Sides


@njit(cache=True, nogil=True, error_model="numpy")
def iou_of(first_xyxy: Edges, second_xyxy: Edges) -> float:
    """Intersection over union of two boxes, (4,) each."""
    ax, ay, bx, by = first_xyxy
    cx, cy, dx, dy = second_xyxy
    own = max(bx - ax, 0.0) * max(by - ay, 0.0)
    shared = max(min(bx, dx) - max(ax, cx), 0.0) * max(min(by, dy) - max(ay, cy), 0.0)
    union = own + max(dx - cx, 0.0) * max(dy - cy, 0.0) - shared
    return shared / union if union > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def fill_iou(first_xyxy: Floats, second_xyxy: Floats, overlap: Floats) -> None:
    """Intersection over union of every box (P, 4) with every box (Q, 4), into (P, Q)."""
    for p in range(len(first_xyxy)):
        for q in range(len(second_xyxy)):
            overlap[p, q] = iou_of(first_xyxy[p], second_xyxy[q])


@njit(cache=True, nogil=True, error_model="numpy")
def around(xy: Floats, others_xy: Floats) -> Sides:
    """Sides around those of the keypoints (K, 2) that are finite in both; NaN without any."""
    left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
    for k in range(len(xy)):
        x, y = xy[k]
        if math.isfinite(x + y) and math.isfinite(others_xy[k, 0] + others_xy[k, 1]):
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
    if left > right:
        return np.nan, np.nan, np.nan, np.nan
    return left, top, right, bottom
