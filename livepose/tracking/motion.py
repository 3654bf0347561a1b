"""Numba kernels of boxes in motion.

A box is centre and size, ``xywh``, with its velocity in px/s and, for each of these four,
var(value), cov(value, velocity) and var(velocity): a constant-velocity Kalman filter in closed
form. Noise is in body scales, so near and far people are treated alike. After SORT (Bewley et al.,
ICIP 2016, https://doi.org/10.1109/ICIP.2016.7533003). ``person`` is a row of ``tracks.Tracks``.

While the detector rests boxes follow keypoints. The box around those alone would lose the head's
top and shrink as keypoints at its rim fade. So each person learns how far the detector's box
reaches beyond the keypoints (as BlazePose does, https://arxiv.org/abs/2006.10204); between
detections each edge first moves as the keypoints seen both times do, then is drawn to where the
margin puts it: quickly outwards, slowly inwards.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes, Sides, around, to_xywh
from livepose.compiled import kernel

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

ACCELERATION = 0.7  # white noise in body scales / s^2, per root Hz
BOX_NOISE = 0.06  # how much measured edges tremble, in body scales
UNKNOWN_NOISE = 1e6  # of a box that is the whole image: the first keypoints say where it is
START_SPEED = 1.0  # standard deviation of the speed of a newcomer, body scales a second
SIZE_MEMORY_S = 0.5  # a change of size goes on for so long: boxes do not shrink for ever
MARGIN_RATE, MOST_MARGIN = 0.3, 1.5  # how quickly margins are learned, and the largest
OUTWARDS_S, INWARDS_S = 0.1, 0.5  # how quickly an edge goes where its margin puts it


@kernel
def scale_of(xywh: Floats) -> float:
    """Body scale of a box (4,), in px."""
    return math.sqrt(max(xywh[2] * xywh[3], 1.0))


@kernel
def edges_of(xywh: Floats) -> Sides:
    """Left, top, right and bottom of a box (4,)."""
    half_x, half_y = xywh[2] / 2, xywh[3] / 2
    return xywh[0] - half_x, xywh[1] - half_y, xywh[0] + half_x, xywh[1] + half_y


def start(table: Any, boxes_xyxy: Boxes, noise: float = BOX_NOISE) -> None:
    """Puts tracks (T,) into boxes (T, 4), of which nothing is known but their noise."""
    table["xywh"], table["velocity"], table["variance"] = to_xywh(boxes_xyxy), 0.0, 0.0
    scale_px = np.sqrt(np.maximum(table["xywh"][:, 2] * table["xywh"][:, 3], 1.0))[:, None]
    table["variance"][..., 0] = (noise * scale_px) ** 2
    table["variance"][..., 2] = (START_SPEED * scale_px) ** 2


@kernel
def advance(table: Any, dt_s: float) -> float:
    """Moves all boxes, and their speeds, on by ``dt_s``; when the longest unseen was seen."""
    oldest_s = math.inf
    for t in range(len(table)):
        oldest_s = min(oldest_s, table[t].seen_s)
        xywh, velocity, variance = table[t].xywh, table[t].velocity, table[t].variance
        density = ACCELERATION * ACCELERATION * max(xywh[2] * xywh[3], 1.0)
        for i in range(4):
            value, cross, rate = variance[i]
            variance[i, 0] = value + 2.0 * dt_s * cross + dt_s**2 * rate + density * dt_s**3 / 3.0
            variance[i, 1] = cross + dt_s * rate + density * dt_s**2 / 2.0
            variance[i, 2] = rate + density * dt_s
            xywh[i] += velocity[i] * dt_s
        for i in (2, 3):
            xywh[i] = max(xywh[i], 1.0)
            velocity[i] *= math.exp(-dt_s / SIZE_MEMORY_S)
    return oldest_s


@kernel
def correct(person: Any, box_xyxy: Floats) -> None:
    """Corrects a box by a measurement of it, (4,)."""
    xywh, velocity, variance = person.xywh, person.velocity, person.variance
    noise2_px2 = BOX_NOISE * BOX_NOISE * max(xywh[2] * xywh[3], 1.0)
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


@kernel
def correct_rows(table: Any, rows: Rows, boxes_xyxy: Floats) -> None:
    """Corrects the tracks in ``rows`` (N,) by boxes (N, 4)."""
    for n in range(len(rows)):
        correct(table[rows[n]], boxes_xyxy[n])


@kernel
def learn_margins(margins: Floats, now_xy: Floats, detected_xyxy: Sides) -> None:
    """Margins (4,) of a person whose keypoints (K, 2) lie in a detected box, in place."""
    found = around(now_xy, now_xy)
    extent = max(max(found[2] - found[0], found[3] - found[1]), 1.0)
    for i in range(4):
        sign = -1.0 if i < 2 else 1.0
        seen = (detected_xyxy[i] - found[i]) * sign / extent
        if math.isfinite(seen):
            margins[i] += MARGIN_RATE * (min(max(seen, 0.0), MOST_MARGIN) - margins[i])


@kernel
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
