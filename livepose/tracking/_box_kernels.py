"""Numba kernels of boxes in motion; see ``motion`` for what they do and why."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Floats = NDArray[np.float64]
Edges = tuple[float, float, float, float]

START_SPEED = 1.0
"""Standard deviation of the speed of a newcomer, body scales a second."""
SIZE_MEMORY_S = 0.5
"""A change of size is believed to go on for so long: boxes do not grow or shrink for ever."""
MARGIN_RATE, MOST_MARGIN = 0.3, 1.5
"""How quickly margins are learned, and the largest."""
OUTWARDS_S, INWARDS_S = 0.1, 0.5
"""How quickly an edge goes where its margin puts it."""


@njit(cache=True, nogil=True, error_model="numpy")
def scale_of(xywh: Floats) -> float:
    """Body scale of a box (4,), in px."""
    return math.sqrt(max(xywh[2] * xywh[3], 1.0))


@njit(cache=True, nogil=True, error_model="numpy")
def edges_of(xywh: Floats) -> Edges:
    """Left, top, right and bottom of a box (4,)."""
    half_x, half_y = xywh[2] / 2, xywh[3] / 2
    return xywh[0] - half_x, xywh[1] - half_y, xywh[0] + half_x, xywh[1] + half_y


@njit(cache=True, nogil=True, error_model="numpy")
def start(xywh: Floats, velocity: Floats, variance: Floats, box_xyxy: Floats, noise: float) -> None:
    """A box (4,) seen for the first time: as measured, of its speed only the deviation known."""
    for i in range(2):
        xywh[i] = (box_xyxy[i] + box_xyxy[i + 2]) / 2
        xywh[i + 2] = box_xyxy[i + 2] - box_xyxy[i]
    velocity[:] = 0.0
    for i in range(4):
        variance[i, 0] = (noise * scale_of(xywh)) ** 2
        variance[i, 1] = 0.0
        variance[i, 2] = (START_SPEED * scale_of(xywh)) ** 2


@njit(cache=True, nogil=True, error_model="numpy")
def start_all(
    xywh: Floats, velocity: Floats, variance: Floats, boxes_xyxy: Floats, noise: float
) -> None:
    """The same of boxes (T, 4)."""
    for t in range(len(xywh)):
        start(xywh[t], velocity[t], variance[t], boxes_xyxy[t], noise)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    xywh: Floats, velocity: Floats, variance: Floats, dt_s: float, acceleration: float
) -> None:
    """Moves boxes (T, 4) and what is known of their speeds on by ``dt_s``, in place."""
    kept = math.exp(-dt_s / SIZE_MEMORY_S)
    for t in range(len(xywh)):
        scale2_px2 = max(xywh[t, 2] * xywh[t, 3], 1.0)
        density = acceleration * acceleration * scale2_px2
        for i in range(4):
            value, cross, rate = variance[t, i]
            variance[t, i, 0] = (
                value + 2.0 * dt_s * cross + dt_s**2 * rate + density * dt_s**3 / 3.0
            )
            variance[t, i, 1] = cross + dt_s * rate + density * dt_s**2 / 2.0
            variance[t, i, 2] = rate + density * dt_s
            xywh[t, i] += velocity[t, i] * dt_s
        for i in (2, 3):
            xywh[t, i] = max(xywh[t, i], 1.0)
            velocity[t, i] *= kept


@njit(cache=True, nogil=True, error_model="numpy")
def correct(
    xywh: Floats, velocity: Floats, variance: Floats, box_xyxy: Floats, noise: float
) -> None:
    """Corrects a box (4,) by a measurement of it, in place."""
    noise2_px2 = noise * noise * max(xywh[2] * xywh[3], 1.0)
    left, top, right, bottom = box_xyxy
    measured = ((left + right) / 2.0, (top + bottom) / 2.0, right - left, bottom - top)
    for i in range(4):
        value, cross, rate = variance[i]
        gain, rate_gain = value / (value + noise2_px2), cross / (value + noise2_px2)
        surprise = measured[i] - xywh[i]
        xywh[i] += gain * surprise
        velocity[i] += rate_gain * surprise
        variance[i, 0] = (1.0 - gain) * value
        variance[i, 1] = (1.0 - gain) * cross
        variance[i, 2] = rate - rate_gain * cross
    for i in (2, 3):
        xywh[i] = max(xywh[i], 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def correct_all(
    xywh: Floats, velocity: Floats, variance: Floats, boxes_xyxy: Floats, noise: float
) -> None:
    """The same of boxes (T, 4)."""
    for t in range(len(xywh)):
        correct(xywh[t], velocity[t], variance[t], boxes_xyxy[t], noise)


@njit(cache=True, nogil=True, error_model="numpy")
def around(xy: Floats, others_xy: Floats) -> Edges:
    """Edges around those of the keypoints (K, 2) that are finite in both; NaN without any."""
    left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
    for k in range(len(xy)):
        x, y = xy[k]
        if math.isfinite(x + y) and math.isfinite(others_xy[k, 0] + others_xy[k, 1]):
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
    if left > right:
        return np.nan, np.nan, np.nan, np.nan
    return left, top, right, bottom


@njit(cache=True, nogil=True, error_model="numpy")
def learn_margins(margins: Floats, now_xy: Floats, detected_xyxy: Edges) -> None:
    """Margins (4,) of a person whose keypoints (K, 2) lie in a detected box, in place."""
    found = around(now_xy, now_xy)
    extent = max(max(found[2] - found[0], found[3] - found[1]), 1.0)
    for i in range(4):
        sign = -1.0 if i < 2 else 1.0
        seen = (detected_xyxy[i] - found[i]) * sign / extent
        if math.isfinite(seen):
            margins[i] += MARGIN_RATE * (min(max(seen, 0.0), MOST_MARGIN) - margins[i])


@njit(cache=True, nogil=True, error_model="numpy")
def follow(
    box_xyxy: Floats, before_xy: Floats, now_xy: Floats, margins: Floats, dt_s: float
) -> None:
    """Moves a box (4,) along with keypoints (K, 2) over ``dt_s``, in place."""
    found = around(now_xy, now_xy)
    was, became = around(before_xy, now_xy), around(now_xy, before_xy)
    extent = max(max(found[2] - found[0], found[3] - found[1]), 1.0)
    for i in range(4):
        sign = -1.0 if i < 2 else 1.0
        step = became[i] - was[i]
        moved = box_xyxy[i] + (step if math.isfinite(step) else 0.0)
        wanted = found[i] + sign * margins[i] * extent
        box_xyxy[i] = moved
        if math.isfinite(wanted):
            pull_s = OUTWARDS_S if (wanted - moved) * sign > 0.0 else INWARDS_S
            edge = moved - math.expm1(-dt_s / pull_s) * (wanted - moved)
            box_xyxy[i] = sign * max(sign * edge, sign * found[i])
