"""Numba kernels of the steps that every picture takes, whether the detector looked or not."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    xywh: Floats,
    velocity: Floats,
    variance: Floats,
    dt_s: float,
    acceleration: float,
    size_memory_s: float,
) -> None:
    """Moves boxes (T, 4) and what is known of their speeds on by ``dt_s``, in place."""
    kept = math.exp(-dt_s / size_memory_s)
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
    xywh: Floats, velocity: Floats, variance: Floats, boxes_xyxy: Floats, noise: float
) -> None:
    """Corrects boxes (T, 4) by a measurement of each, in place."""
    for t in range(len(xywh)):
        noise2_px2 = noise * noise * max(xywh[t, 2] * xywh[t, 3], 1.0)
        left, top, right, bottom = boxes_xyxy[t]
        measured = ((left + right) / 2.0, (top + bottom) / 2.0, right - left, bottom - top)
        for i in range(4):
            value, cross, rate = variance[t, i]
            gain, rate_gain = value / (value + noise2_px2), cross / (value + noise2_px2)
            surprise = measured[i] - xywh[t, i]
            xywh[t, i] += gain * surprise
            velocity[t, i] += rate_gain * surprise
            variance[t, i, 0] = (1.0 - gain) * value
            variance[t, i, 1] = (1.0 - gain) * cross
            variance[t, i, 2] = rate - rate_gain * cross
        for i in (2, 3):
            xywh[t, i] = max(xywh[t, i], 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def follow(
    boxes_xyxy: Floats,
    was_xyxy: Floats,
    is_xyxy: Floats,
    around_xyxy: Floats,
    margins: Floats,
    dt_s: Floats,
    pulls_s: tuple[float, float],
) -> None:
    """Moves boxes (T, 4) along with keypoints, in place; see ``following.follow``.

    ``was_xyxy`` and ``is_xyxy`` surround the keypoints seen both times, ``around_xyxy`` all that
    are seen now. ``pulls_s`` are the times in which an edge goes out, and in.
    """
    for t in range(len(boxes_xyxy)):
        left, top, right, bottom = around_xyxy[t]
        extent = max(max(right - left, bottom - top), 1.0)
        for i in range(4):
            sign = -1.0 if i < 2 else 1.0
            step = is_xyxy[t, i] - was_xyxy[t, i]
            moved = boxes_xyxy[t, i] + (step if math.isfinite(step) else 0.0)
            wanted = around_xyxy[t, i] + sign * margins[t, i] * extent
            boxes_xyxy[t, i] = moved
            if math.isfinite(wanted):
                pull_s = pulls_s[0] if (wanted - moved) * sign > 0.0 else pulls_s[1]
                edge = moved - math.expm1(-dt_s[t] / pull_s) * (wanted - moved)
                boxes_xyxy[t, i] = sign * max(sign * edge, sign * around_xyxy[t, i])
