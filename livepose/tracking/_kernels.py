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


@njit(cache=True, nogil=True, error_model="numpy")
def mend(
    now_xy: Floats,
    last_xy: Floats,
    velocity: Floats,
    last_s: Floats,
    swapped_s: Floats,
    reach: Floats,
    scale_px: Floats,
    pairs: NDArray[np.int64],
    parents: NDArray[np.int64],
    time_s: float,
    limits: tuple[float, float, float, float, float, float, float],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Looks for swaps and jumps in poses (N, K, 2), see ``joints``; mends them in place.

    Returns which pairs (N, F) were exchanged, and which keypoints (N, K) are not believed.
    """
    fresh_s, hold_s, ratio, apart, jump, speed, stretch = limits
    people, joints = now_xy.shape[:2]
    exchanged = np.zeros((people, len(pairs)), dtype=np.bool_)
    refused = np.zeros((people, joints), dtype=np.bool_)
    ahead_xy = np.empty((joints, 2))
    for n in range(people):
        for k in range(joints):
            dt_s = time_s - last_s[n, k]
            for i in range(2):
                there = last_xy[n, k, i] + velocity[n, k, i] * dt_s
                ahead_xy[k, i] = there if dt_s <= fresh_s else np.nan
        for p in range(len(pairs)):
            a, b = pairs[p]
            straight = _apart(now_xy[n, a], ahead_xy[a]) + _apart(now_xy[n, b], ahead_xy[b])
            crossed = _apart(now_xy[n, a], ahead_xy[b]) + _apart(now_xy[n, b], ahead_xy[a])
            # Comparisons with what is not known are false.
            far_apart = _apart(ahead_xy[a], ahead_xy[b]) > apart * scale_px[n]
            if not (far_apart and crossed < ratio * straight):
                swapped_s[n, a] = np.nan
                continue
            if not swapped_s[n, a] <= time_s:
                swapped_s[n, a] = time_s
            exchanged[n, p] = time_s - swapped_s[n, a] <= hold_s
            for i in range(2):
                if exchanged[n, p]:
                    now_xy[n, a, i], now_xy[n, b, i] = now_xy[n, b, i], now_xy[n, a, i]
        for k in range(joints):
            gate = max(jump, speed * (time_s - last_s[n, k])) * scale_px[n]
            if parents[k] >= 0 and _apart(now_xy[n, k], ahead_xy[k]) > gate:
                mate = parents[k]
                held = ahead_xy[mate] if refused[n, mate] else now_xy[n, mate]
                limb = _apart(now_xy[n, k], held)
                refused[n, k] = limb > stretch * reach[n, k] * scale_px[n]
        for k in range(joints):
            if refused[n, k]:
                now_xy[n, k] = np.nan
    return exchanged, refused


@njit(cache=True, nogil=True, error_model="numpy")
def remember(
    now_xy: Floats,
    last_xy: Floats,
    velocity: Floats,
    last_s: Floats,
    reach: Floats,
    scale_px: Floats,
    parents: NDArray[np.int64],
    time_s: float,
    limits: tuple[float, float, float, float],
) -> None:
    """Takes believed poses (N, K, 2) into the memory of joints, in place."""
    fresh_s, share, longer, shorten_s = limits
    for n in range(now_xy.shape[0]):
        for k in range(now_xy.shape[1]):
            if not (math.isfinite(now_xy[n, k, 0]) and math.isfinite(now_xy[n, k, 1])):
                continue
            dt_s = time_s - last_s[n, k]
            if dt_s == 0.0:
                continue
            for i in range(2):
                # After a pause nothing is known of the speed.
                speed = (now_xy[n, k, i] - last_xy[n, k, i]) / dt_s if dt_s <= fresh_s else 0.0
                kept = velocity[n, k, i] if dt_s <= fresh_s else 0.0
                velocity[n, k, i] = kept + share * (speed - kept)
                last_xy[n, k, i] = now_xy[n, k, i]
            last_s[n, k] = time_s
            if parents[k] < 0:
                continue
            limb = _apart(now_xy[n, k], now_xy[n, parents[k]]) / scale_px[n]
            if not math.isfinite(reach[n, k]):
                reach[n, k] = limb
            elif limb > reach[n, k]:
                reach[n, k] += longer * (limb - reach[n, k])
            elif limb <= reach[n, k] and dt_s <= fresh_s:
                reach[n, k] += -math.expm1(-dt_s / shorten_s) * (limb - reach[n, k])


@njit(cache=True, nogil=True, error_model="numpy")
def _apart(first_xy: Floats, second_xy: Floats) -> float:
    return math.hypot(first_xy[0] - second_xy[0], first_xy[1] - second_xy[1])


@njit(cache=True, nogil=True)
def shrink(image_bgr: NDArray[np.uint8], samples: int, thumbnail: Floats) -> None:
    """Mean grey of each cell (h, w), from samples x samples of its pixels."""
    rows, columns = thumbnail.shape
    height, width = image_bgr.shape[0], image_bgr.shape[1]
    for row in range(rows):
        for column in range(columns):
            total = 0
            for i in range(samples):
                y = ((row * samples + i) * height) // (rows * samples)
                for j in range(samples):
                    x = ((column * samples + j) * width) // (columns * samples)
                    pixel = image_bgr[y, x]
                    total += int(pixel[0]) + int(pixel[1]) + int(pixel[2])
            thumbnail[row, column] = total / (3.0 * samples * samples)
