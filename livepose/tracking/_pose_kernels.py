"""Numba kernels of one pose in time: what is mended and remembered of it, how alike two are."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Indices = NDArray[np.int64]
Find = tuple[float, float, float, float, float, float, float]
Keep = tuple[float, float, float, float]


@njit(cache=True, nogil=True, error_model="numpy")
def apart(first_xy: Floats, second_xy: Floats) -> float:
    """Distance of two places, (2,) each."""
    return math.hypot(first_xy[0] - second_xy[0], first_xy[1] - second_xy[1])


@njit(cache=True, nogil=True, error_model="numpy")
def counted(keypoints_xy: Floats, scores: Floats, least_score: float, now_xy: Floats) -> None:
    """Keypoints (K, 2) of a pose into ``now_xy``, NaN where their score (K,) does not count."""
    for k in range(len(scores)):
        counts = scores[k] >= least_score
        for i in range(2):
            now_xy[k, i] = keypoints_xy[k, i] if counts else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def look_ahead(
    last_xy: Floats,
    velocity: Floats,
    last_s: Floats,
    time_s: float,
    fresh_s: float,
    ahead_xy: Floats,
) -> None:
    """Where remembered keypoints (K, 2) should be by now, NaN where the memory is not fresh."""
    for k in range(len(last_s)):
        dt_s = time_s - last_s[k]
        for i in range(2):
            there = last_xy[k, i] + velocity[k, i] * dt_s
            ahead_xy[k, i] = there if dt_s <= fresh_s else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def exchange_back(
    now_xy: Floats,
    ahead_xy: Floats,
    swapped_s: Floats,
    scale_px: float,
    pairs: Indices,
    time_s: float,
    limits: Find,
    exchanged: Masks,
) -> None:
    """Exchanges those ``pairs`` (F, 2) of a pose that were mixed up, and marks them (F,)."""
    hold_s, ratio, least_apart = limits[1], limits[2], limits[3]
    for p in range(len(pairs)):
        a, b = pairs[p]
        straight = apart(now_xy[a], ahead_xy[a]) + apart(now_xy[b], ahead_xy[b])
        crossed = apart(now_xy[a], ahead_xy[b]) + apart(now_xy[b], ahead_xy[a])
        # Comparisons with what is not known are false.
        far_apart = apart(ahead_xy[a], ahead_xy[b]) > least_apart * scale_px
        exchanged[p] = False
        if not (far_apart and crossed < ratio * straight):
            swapped_s[a] = np.nan
            continue
        if not swapped_s[a] <= time_s:
            swapped_s[a] = time_s
        exchanged[p] = time_s - swapped_s[a] <= hold_s
        for i in range(2):
            if exchanged[p]:
                now_xy[a, i], now_xy[b, i] = now_xy[b, i], now_xy[a, i]


@njit(cache=True, nogil=True, error_model="numpy")
def refuse_jumps(
    now_xy: Floats,
    ahead_xy: Floats,
    last_s: Floats,
    reach: Floats,
    scale_px: float,
    parents: Indices,
    time_s: float,
    limits: Find,
    refused: Masks,
) -> None:
    """Marks keypoints (K,) that are not believed, and takes them out of the pose."""
    jump, speed, stretch = limits[4], limits[5], limits[6]
    for k in range(len(parents)):
        refused[k] = False
        gate_px = max(jump, speed * (time_s - last_s[k])) * scale_px
        if parents[k] >= 0 and apart(now_xy[k], ahead_xy[k]) > gate_px:
            mate = parents[k]
            held = ahead_xy[mate] if refused[mate] else now_xy[mate]
            refused[k] = apart(now_xy[k], held) > stretch * reach[k] * scale_px
    for k in range(len(parents)):
        if refused[k]:
            now_xy[k] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def remember(
    now_xy: Floats,
    last_xy: Floats,
    velocity: Floats,
    last_s: Floats,
    reach: Floats,
    scale_px: float,
    parents: Indices,
    time_s: float,
    limits: Keep,
) -> None:
    """Takes a believed pose (K, 2) into the memory of joints, in place."""
    fresh_s, share, longer, shorten_s = limits
    for k in range(len(parents)):
        if not (math.isfinite(now_xy[k, 0]) and math.isfinite(now_xy[k, 1])):
            continue
        dt_s = time_s - last_s[k]
        if dt_s == 0.0:
            continue
        for i in range(2):
            # After a pause nothing is known of the speed.
            speed = (now_xy[k, i] - last_xy[k, i]) / dt_s if dt_s <= fresh_s else 0.0
            kept = velocity[k, i] if dt_s <= fresh_s else 0.0
            velocity[k, i] = kept + share * (speed - kept)
            last_xy[k, i] = now_xy[k, i]
        last_s[k] = time_s
        if parents[k] < 0:
            continue
        limb = apart(now_xy[k], now_xy[parents[k]]) / scale_px
        if not math.isfinite(reach[k]):
            reach[k] = limb
        elif limb > reach[k]:
            reach[k] += longer * (limb - reach[k])
        elif limb <= reach[k] and dt_s <= fresh_s:
            reach[k] += -math.expm1(-dt_s / shorten_s) * (limb - reach[k])


@njit(cache=True, nogil=True, error_model="numpy")
def fill_oks(
    first_xy: Floats,
    second_xy: Floats,
    areas_px2: Floats,
    sigmas: Floats,
    near: Masks,
    least_common: int,
    likeness: Floats,
) -> None:
    """OKS of poses (P, K, 2) with poses (Q, K, 2) that are ``near``, into (P, Q)."""
    for p in range(len(first_xy)):
        for q in range(len(second_xy)):
            close, common = 0.0, 0
            for k in range(len(sigmas) if near[p, q] else 0):
                dx = first_xy[p, k, 0] - second_xy[q, k, 0]
                dy = first_xy[p, k, 1] - second_xy[q, k, 1]
                apart_px2 = dx * dx + dy * dy
                if math.isfinite(apart_px2):
                    common += 1
                    spread_px2 = 2.0 * max(areas_px2[q], 1.0) * (2.0 * sigmas[k]) ** 2
                    close += math.exp(-apart_px2 / spread_px2)
            likeness[p, q] = close / common if common >= least_common else 0.0
