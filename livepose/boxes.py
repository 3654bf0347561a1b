"""Boxes as ``boxes_xyxy``, (P, 4): left, top, right, bottom edges in source-image pixels.

Edges, not pixel indices: a box around the single pixel (0, 0) is (-0.5, -0.5, 0.5, 0.5) when
integers are pixel centres, but detectors and COCO say (0, 0, 1, 1) for it. livepose keeps their
convention for boxes as they come, and turns them into crops in ``crops`` alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import kernel

Boxes = NDArray[np.float64]
Sides = tuple[float, float, float, float]


def area(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Area of each box, (P, 4) to (P,); an empty or inverted box has none."""
    wh = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0.0)
    return np.asarray(wh[:, 0] * wh[:, 1])


def iou(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Intersection over union of every box with every box, (P, 4) and (Q, 4) to (P, Q)."""
    pair = (np.ascontiguousarray(one, np.float64) for one in (first_xyxy, second_xyxy))
    return np.asarray(_iou(*pair))


def to_xywh(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Centre and size of boxes, (P, 4)."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def to_xyxy(xywh: NDArray[np.float64]) -> Boxes:
    """Edges of boxes from centre and size, (P, 4)."""
    centre, half = xywh[:, :2], xywh[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def inside(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Part of each first box that lies in each second one, (P, 4) and (Q, 4) to (P, Q)."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    wh = np.clip(high - low, 0.0, None)
    own = area(first_xyxy)[:, None]
    return np.asarray(wh[..., 0] * wh[..., 1] / np.where(own > 0, own, 1.0))


def clip(boxes_xyxy: Boxes, size_wh: tuple[int, int]) -> Boxes:
    """Boxes cut at the edges of an image of ``size_wh``."""
    return np.clip(boxes_xyxy, 0.0, np.array([*size_wh, *size_wh], dtype=np.float64))


# -- for kernels: for a handful of people NumPy's calls cost more than the work --------------------


@kernel
def iou_of(first_xyxy: Sides, second_xyxy: Sides) -> float:
    """Intersection over union of two boxes, (4,) each."""
    ax, ay, bx, by = first_xyxy
    cx, cy, dx, dy = second_xyxy
    own = max(bx - ax, 0.0) * max(by - ay, 0.0)
    shared = max(min(bx, dx) - max(ax, cx), 0.0) * max(min(by, dy) - max(ay, cy), 0.0)
    union = own + max(dx - cx, 0.0) * max(dy - cy, 0.0) - shared
    return shared / union if union > 0.0 else 0.0


@kernel
def _iou(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    overlap = np.empty((len(first_xyxy), len(second_xyxy)))
    for p in range(len(first_xyxy)):
        for q in range(len(second_xyxy)):
            overlap[p, q] = iou_of(first_xyxy[p], second_xyxy[q])
    return overlap


@kernel
def around(xy: NDArray[np.float64], others_xy: NDArray[np.float64]) -> Sides:
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
