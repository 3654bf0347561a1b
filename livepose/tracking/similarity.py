"""How alike boxes and poses are, every one with every other."""

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.boxes import Boxes
from livepose.tracking import _pose_kernels
from livepose.tracking.motion import to_xywh, to_xyxy

UNKNOWN_SIGMA = 0.07
"""OKS sigma of keypoints of skeletons that publish none: about the mean of COCO's."""
LEAST_COMMON = 4
"""Fewer keypoints seen in both poses say nothing about likeness."""
COINCIDING = 0.05
"""Two keypoints nearer than this part of the body's scale are one."""


def buffered_iou(first_xyxy: Boxes, second_xyxy: Boxes, buffer: float) -> NDArray[np.float64]:
    """IoU (P, Q) of boxes grown on each side by ``buffer`` of their size.

    Somebody who was out of sight is not where a straight path leads; grown boxes still meet.
    After C-BIoU (Yang et al., WACV 2023, https://arxiv.org/abs/2211.14317).
    """
    return boxes.iou(_grown(first_xyxy, buffer), _grown(second_xyxy, buffer))


def _grown(boxes_xyxy: Boxes, buffer: float) -> Boxes:
    xywh = to_xywh(boxes_xyxy)
    xywh[:, 2:] *= 1 + 2 * buffer
    return to_xyxy(xywh)


def inside(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Part of each first box that lies in each second one, (P, Q)."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    wh = np.clip(high - low, 0.0, None)
    own = boxes.area(first_xyxy)[:, None]
    return np.asarray(wh[..., 0] * wh[..., 1] / np.where(own > 0, own, 1.0))


def nested(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float64]:
    """Part of the smaller box that lies in the larger one, (P, Q)."""
    return np.maximum(inside(first_xyxy, second_xyxy), inside(second_xyxy, first_xyxy).T)


def oks(
    first_xy: NDArray[np.float64],
    second_xy: NDArray[np.float64],
    areas_px2: NDArray[np.float64],
    sigmas: NDArray[np.float64],
    near: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Object keypoint similarity of poses (P, K, 2) with poses (Q, K, 2): (P, Q), 0 to 1.

    COCO's measure, https://cocodataset.org/#keypoints-eval, over the keypoints that are not NaN
    in either; ``areas_px2`` (Q,) are the box areas of the second. 0 where fewer than
    ``LEAST_COMMON`` are, and for pairs that are not ``near`` (P, Q).
    """
    likeness = np.empty((len(first_xy), len(second_xy)))
    near = np.ones(likeness.shape, dtype=np.bool_) if near is None else near
    _pose_kernels.fill_oks(first_xy, second_xy, areas_px2, sigmas, near, LEAST_COMMON, likeness)
    return likeness


def coinciding(
    keypoints_xy: NDArray[np.float64], areas_px2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share (P, P) of the keypoints seen in both of two poses (P, K, 2) that are the same point.

    Where OKS averages, this counts: a person found twice, once to the thigh and once to the feet,
    has one head and two pairs of legs. 0 where fewer than ``LEAST_COMMON`` are seen in both.
    """
    apart_px = np.linalg.norm(keypoints_xy[:, None] - keypoints_xy, axis=-1)
    scale_px = np.sqrt(np.minimum(areas_px2[:, None], areas_px2))
    count = np.isfinite(apart_px).sum(axis=-1)
    same = (apart_px < COINCIDING * scale_px[..., None]).sum(axis=-1)
    return np.where(count >= LEAST_COMMON, same / np.maximum(count, 1), 0.0)
