"""Where boxes will be: a constant-velocity Kalman filter for all tracks at once.

The state of a box is centre and size, (T, 4) as x, y, w, h in px, its velocity (T, 4) in px/s,
and for each of the four the covariance of value and velocity, (T, 4, 3) as var(value),
cov(value, velocity), var(velocity). The four are independent, so everything is closed form. Noise
is in body scales (root of w * h), so near and far people are treated alike; time is real seconds.
After SORT (Bewley et al., ICIP 2016, https://doi.org/10.1109/ICIP.2016.7533003).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.tracking import _kernels

SIZE_MEMORY_S = 0.5
"""A change of size is believed to go on for so long: boxes do not grow or shrink for ever."""
START_SPEED = 1.0
"""Standard deviation of the speed of a newcomer, body scales a second."""


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


def scale_px(xywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Body scale of each box, (T,)."""
    return np.asarray(np.sqrt(np.maximum(xywh[:, 2] * xywh[:, 3], 1.0)))


def start(boxes_xyxy: Boxes, noise: float) -> Motion:
    """Boxes seen for the first time: as measured, speed unknown."""
    xywh = to_xywh(boxes_xyxy)
    scale = scale_px(xywh)[:, None]
    variance = np.zeros((*xywh.shape, 3))
    variance[..., 0], variance[..., 2] = (noise * scale) ** 2, (START_SPEED * scale) ** 2
    return Motion(xywh, np.zeros_like(xywh), variance)


def advance(motion: Motion, dt_s: float, acceleration: float) -> Motion:
    """The same boxes ``dt_s`` seconds later."""
    later = _copied(motion)
    _kernels.advance(*later, float(dt_s), float(acceleration), SIZE_MEMORY_S)
    return later


def correct(motion: Motion, boxes_xyxy: Boxes, noise: float) -> Motion:
    """The boxes after a measurement of each, (T, 4)."""
    corrected = _copied(motion)
    _kernels.correct(*corrected, np.ascontiguousarray(boxes_xyxy, dtype=np.float64), float(noise))
    return corrected


def _copied(motion: Motion) -> Motion:
    return Motion(motion.xywh.copy(), motion.velocity.copy(), motion.variance.copy())
