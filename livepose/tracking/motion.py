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
    half = xywh[:, 2:] / 2
    return np.concatenate([xywh[:, :2] - half, xywh[:, :2] + half], axis=1)


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
    velocity, variance = motion.velocity.copy(), motion.variance.copy()
    xywh = motion.xywh + velocity * dt_s
    xywh[:, 2:] = np.maximum(xywh[:, 2:], 1.0)
    velocity[:, 2:] *= np.exp(-dt_s / SIZE_MEMORY_S)
    density = (acceleration * scale_px(motion.xywh)[:, None]) ** 2
    value, cross, rate = motion.variance[..., 0], motion.variance[..., 1], motion.variance[..., 2]
    variance[..., 0] = value + 2 * dt_s * cross + dt_s**2 * rate + density * dt_s**3 / 3
    variance[..., 1] = cross + dt_s * rate + density * dt_s**2 / 2
    variance[..., 2] = rate + density * dt_s
    return Motion(xywh, velocity, variance)


def correct(motion: Motion, boxes_xyxy: Boxes, noise: float) -> Motion:
    """The boxes after a measurement of each, (T, 4)."""
    value, cross, rate = motion.variance[..., 0], motion.variance[..., 1], motion.variance[..., 2]
    total = value + (noise * scale_px(motion.xywh)[:, None]) ** 2
    gain, rate_gain = value / total, cross / total
    surprise = to_xywh(boxes_xyxy) - motion.xywh
    xywh = motion.xywh + gain * surprise
    xywh[:, 2:] = np.maximum(xywh[:, 2:], 1.0)
    variance = np.stack([(1 - gain) * value, (1 - gain) * cross, rate - rate_gain * cross], axis=-1)
    return Motion(xywh, motion.velocity + rate_gain * surprise, variance)
