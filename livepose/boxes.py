"""Boxes as ``boxes_xyxy``, (P, 4): left, top, right, bottom edges in source-image pixels.

Edges, not pixel indices: a box around the single pixel (0, 0) is (-0.5, -0.5, 0.5, 0.5) when
integers are pixel centres, but detectors and COCO say (0, 0, 1, 1) for it. livepose keeps their
convention for boxes as they come, and turns them into crops in ``crops`` alone.
"""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def area(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Area of each box, (P, 4) to (P,); an empty or inverted box has none."""
    wh = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0.0, None)
    return np.asarray(wh[:, 0] * wh[:, 1])


def iou(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Intersection over union of every box with every box, (P, 4) and (Q, 4) to (P, Q)."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    wh = np.clip(high - low, 0.0, None)
    shared = wh[..., 0] * wh[..., 1]
    union = area(first_xyxy)[:, None] + area(second_xyxy)[None, :] - shared
    return np.asarray(np.where(union > 0, shared / np.where(union > 0, union, 1.0), 0.0))


def clip(boxes_xyxy: Boxes, size_wh: tuple[int, int]) -> Boxes:
    """Boxes cut at the edges of a picture of ``size_wh``."""
    limits = np.array([*size_wh, *size_wh], dtype=np.float64)
    return np.clip(boxes_xyxy, 0.0, limits)


def around(keypoints_xy: NDArray[np.float64], margin: float = 0.0) -> Boxes:
    """Smallest boxes around keypoints (P, K, 2), NaN ignored, grown by ``margin`` of each side.

    A person without any keypoint gets a NaN box.
    """
    seen = np.isfinite(keypoints_xy.sum(axis=2, keepdims=True))
    low = np.where(seen, keypoints_xy, np.inf).min(axis=1)
    high = np.where(seen, keypoints_xy, -np.inf).max(axis=1)
    empty = ~np.any(seen, axis=1)
    low, high = np.where(empty, np.nan, low), np.where(empty, np.nan, high)
    grow = margin * (high - low)
    return np.concatenate([low - grow, high + grow], axis=1)
