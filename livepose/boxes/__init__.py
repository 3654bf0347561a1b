"""Boxes as ``boxes_xyxy``, (P, 4): left, top, right, bottom edges in source-image pixels.

Edges, not pixel indices: a box around the single pixel (0, 0) is (-0.5, -0.5, 0.5, 0.5) when
integers are pixel centres, but detectors and COCO say (0, 0, 1, 1) for it. livepose keeps their
convention for boxes as they come, and turns them into crops in ``crops`` alone.
"""

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import _kernels

Boxes = NDArray[np.float64]


def area(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Area of each box, (P, 4) to (P,); an empty or inverted box has none."""
    wh = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0.0)
    return np.asarray(wh[:, 0] * wh[:, 1])


def iou(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Intersection over union of every box with every box, (P, 4) and (Q, 4) to (P, Q)."""
    overlap = np.empty((len(first_xyxy), len(second_xyxy)))
    _kernels.fill_iou(_plain(first_xyxy), _plain(second_xyxy), overlap)
    return overlap


def to_xywh(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Centre and size of boxes, (P, 4)."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def to_xyxy(xywh: NDArray[np.float64]) -> Boxes:
    """Edges of boxes from centre and size, (P, 4)."""
    boxes_xyxy, half = np.empty_like(xywh), xywh[:, 2:] / 2
    np.subtract(xywh[:, :2], half, out=boxes_xyxy[:, :2])
    np.add(xywh[:, :2], half, out=boxes_xyxy[:, 2:])
    return boxes_xyxy


def inside(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Part of each first box that lies in each second one, (P, 4) and (Q, 4) to (P, Q)."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    wh = np.clip(high - low, 0.0, None)
    own = area(first_xyxy)[:, None]
    return np.asarray(wh[..., 0] * wh[..., 1] / np.where(own > 0, own, 1.0))


def clip(boxes_xyxy: Boxes, size_wh: tuple[int, int]) -> Boxes:
    """Boxes cut at the edges of a picture of ``size_wh``."""
    limits = np.array([*size_wh, *size_wh], dtype=np.float64)
    return np.clip(boxes_xyxy, 0.0, limits)


def _plain(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """As the kernels are compiled for: float64 in one piece of memory."""
    return np.ascontiguousarray(values, dtype=np.float64)
