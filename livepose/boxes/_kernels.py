"""Numba kernels of boxes: for a handful of people NumPy's calls cost more than the work."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Floats = NDArray[np.float64]
Edges = NDArray[np.float64] | tuple[float, float, float, float]


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
def fill_around(keypoints_xy: Floats, around_xyxy: Floats) -> None:
    """Smallest boxes (P, 4) around keypoints (P, K, 2) that are finite; NaN without any."""
    for p in range(len(keypoints_xy)):
        left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
        for k in range(keypoints_xy.shape[1]):
            x, y = keypoints_xy[p, k]
            if math.isfinite(x + y):
                left, right = min(left, x), max(right, x)
                top, bottom = min(top, y), max(bottom, y)
        if left > right:
            left = top = right = bottom = np.nan
        around_xyxy[p, 0], around_xyxy[p, 1] = left, top
        around_xyxy[p, 2], around_xyxy[p, 3] = right, bottom
