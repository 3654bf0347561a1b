"""Where boxes will be: a constant-velocity Kalman filter for all tracks at once.

The state of a box is centre and size, (T, 4) as x, y, w, h in px, its velocity (T, 4) in px/s,
and for each of the four the covariance of value and velocity, (T, 4, 3) as var(value),
cov(value, velocity), var(velocity). The four are independent, so everything is closed form. Noise
is in body scales (root of w * h), so near and far people are treated alike; time is real seconds.
After SORT (Bewley et al., ICIP 2016, https://doi.org/10.1109/ICIP.2016.7533003).

Boxes that follow keypoints while the detector rests.

The box around the keypoints alone would lose the head's top and shrink from picture to picture as
keypoints at its rim fade. So each track learns, when it is detected, how far the detector's box
reaches beyond its keypoints (as BlazePose derives its next region from keypoints, Bazarevsky et
al., 2020, https://arxiv.org/abs/2006.10204), and between detections each edge first moves as the
keypoints seen both times move it, then is drawn towards where the learned margin puts it: quickly
outwards, slowly inwards.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.tracking import _box_kernels


class Motion(NamedTuple):
    """State of T boxes, see the module."""

    xywh: NDArray[np.float64]
    velocity: NDArray[np.float64]
    variance: NDArray[np.float64]


def to_xywh(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Centre and size of boxes, (T, 4)."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def to_xyxy(xywh: NDArray[np.float64]) -> Boxes:
    """Edges of boxes from centre and size, (T, 4)."""
    boxes_xyxy, half = np.empty_like(xywh), xywh[:, 2:] / 2
    np.subtract(xywh[:, :2], half, out=boxes_xyxy[:, :2])
    np.add(xywh[:, :2], half, out=boxes_xyxy[:, 2:])
    return boxes_xyxy


def start(boxes_xyxy: Boxes, noise: float) -> Motion:
    """Boxes seen for the first time: as measured, speed unknown."""
    people = len(boxes_xyxy)
    begun = Motion(np.empty((people, 4)), np.empty((people, 4)), np.empty((people, 4, 3)))
    _box_kernels.start_all(*begun, _plain(boxes_xyxy), float(noise))
    return begun


def correct(motion: Motion, boxes_xyxy: Boxes, noise: float) -> Motion:
    """The boxes after a measurement of each, (T, 4)."""
    corrected = _copied(motion)
    _box_kernels.correct_all(*corrected, _plain(boxes_xyxy), float(noise))
    return corrected


def _copied(motion: Motion) -> Motion:
    return Motion(motion.xywh.copy(), motion.velocity.copy(), motion.variance.copy())


def _plain(boxes_xyxy: Boxes) -> Boxes:
    """As the kernels are compiled for: float64 in one piece of memory."""
    return np.ascontiguousarray(boxes_xyxy, dtype=np.float64)


START_MARGINS = np.array([0.1, 0.15, 0.1, 0.1])
"""Left, top, right, bottom, of a person seen whole, before anything is learned."""
