"""Numba kernels of one pose in time: what is mended and remembered of it, how alike two are."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Indices = NDArray[np.int64]

JOINT_COLUMNS = 9
KEYPOINT, PLACE, VELOCITY = slice(0, 2), slice(2, 4), slice(4, 6)
WHEN, SWAPPED, REACH = 6, 7, 8
"""Columns of what a track remembers of a keypoint: see ``tracks.Tracks``."""

FRESH_S = 0.25
"""Older memory says nothing; so long at most a jump is not believed."""
HOLD_S, HOLD_WHOLE_S = 0.5, 2.0
"""So long at most left and right are exchanged back, of limbs and of a whole body."""
WHOLE = 3
"""Fewer pairs are no whole body."""
RATIO = 0.5
"""How much nearer keypoints must be to where the other should be than to their own place ..."""
APART = 0.12
"""... and how far apart those places are, in body scales (root of the box's area)."""
JUMP, SPEED = 0.25, 4.0
"""How far is far: so many body scales, or body scales a second."""
STRETCH = 1.4
"""A limb is too long from so many times its greatest length on."""
SHARE, LONGER, SHORTEN_S = 0.5, 0.3, 5.0
"""How quickly speeds and longer limbs are learned, and how slowly shorter ones."""


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
def look_ahead(joints: Floats, time_s: float, ahead_xy: Floats) -> None:
    """Where keypoints (K, 2) should be by now, NaN where what is remembered is not fresh."""
    last_xy, velocity = joints[:, PLACE], joints[:, VELOCITY]
    for k in range(len(joints)):
        dt_s = time_s - joints[k, WHEN]
        for i in range(2):
            there = last_xy[k, i] + velocity[k, i] * dt_s
            ahead_xy[k, i] = there if dt_s <= FRESH_S else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def correct_swaps(
    now_xy: Floats,
    ahead_xy: Floats,
    joints: Floats,
    scale_px: float,
    pairs: Indices,
    time_s: float,
    exchanged: Masks,
) -> None:
    """Exchanges those ``pairs`` (F, 2) of a pose that were mixed up, and marks them (F,).

    Limbs may cross; a whole body turns about only by way of its profile, where nothing is far
    apart. So where most pairs are mixed up all are exchanged, and for longer.
    """
    swapped_s = joints[:, SWAPPED]
    whole = mixed_up(now_xy, ahead_xy, scale_px, pairs, exchanged)
    since_s, hold_s = time_s, HOLD_WHOLE_S if whole else HOLD_S
    for p in range(len(pairs)):
        if whole and swapped_s[pairs[p, 0]] < since_s:
            since_s = swapped_s[pairs[p, 0]]
    for p in range(len(pairs)):
        a, b = pairs[p]
        if not (exchanged[p] or whole):
            swapped_s[a] = np.nan
            continue
        if whole or not swapped_s[a] <= time_s:
            swapped_s[a] = since_s
        exchanged[p] = time_s - swapped_s[a] <= hold_s
        for i in range(2):
            if exchanged[p]:
                now_xy[a, i], now_xy[b, i] = now_xy[b, i], now_xy[a, i]


@njit(cache=True, nogil=True, error_model="numpy")
def mixed_up(
    now_xy: Floats, ahead_xy: Floats, scale_px: float, pairs: Indices, crossed: Masks
) -> bool:
    """Marks the ``pairs`` (F, 2) found where the other should be; whether most of them are."""
    told, count = 0, 0
    for p in range(len(pairs)):
        a, b = pairs[p]
        straight = apart(now_xy[a], ahead_xy[a]) + apart(now_xy[b], ahead_xy[b])
        turned = apart(now_xy[a], ahead_xy[b]) + apart(now_xy[b], ahead_xy[a])
        # Comparisons with what is not known are false.
        far_apart = apart(ahead_xy[a], ahead_xy[b]) > APART * scale_px
        crossed[p] = far_apart and turned < RATIO * straight
        told += far_apart and math.isfinite(straight)
        count += crossed[p]
    return count >= WHOLE and 2 * count >= told


@njit(cache=True, nogil=True, error_model="numpy")
def refuse_jumps(
    now_xy: Floats,
    ahead_xy: Floats,
    joints: Floats,
    scale_px: float,
    parents: Indices,
    time_s: float,
    refused: Masks,
) -> None:
    """Marks keypoints (K,) that are not believed, and takes them out of the pose."""
    for k in range(len(parents)):
        refused[k] = False
        gate_px = max(JUMP, SPEED * (time_s - joints[k, WHEN])) * scale_px
        if parents[k] >= 0 and apart(now_xy[k], ahead_xy[k]) > gate_px:
            mate = parents[k]
            held = ahead_xy[mate] if refused[mate] else now_xy[mate]
            refused[k] = apart(now_xy[k], held) > STRETCH * joints[k, REACH] * scale_px
    for k in range(len(parents)):
        if refused[k]:
            now_xy[k] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def correct_joints(
    now_xy: Floats,
    joints: Floats,
    scale_px: float,
    pairs: Indices,
    parents: Indices,
    time_s: float,
    exchanged: Masks,
    refused: Masks,
) -> None:
    """Mends swaps and jumps in a pose (K, 2) in place; see ``joints``."""
    ahead_xy = np.empty(now_xy.shape)
    look_ahead(joints, time_s, ahead_xy)
    correct_swaps(now_xy, ahead_xy, joints, scale_px, pairs, time_s, exchanged)
    refuse_jumps(now_xy, ahead_xy, joints, scale_px, parents, time_s, refused)


@njit(cache=True, nogil=True, error_model="numpy")
def mean_score(scores: Floats, pairs: Indices, exchanged: Masks, refused: Masks) -> float:
    """Mean score of all keypoints of a pose as it was mended; what is not there scores 0."""
    mended = scores.copy()
    for p in range(len(pairs)):
        if exchanged[p]:
            a, b = pairs[p]
            mended[a], mended[b] = scores[b], scores[a]
    total = 0.0
    for k in range(len(scores)):
        total += mended[k] if math.isfinite(mended[k]) and not refused[k] else 0.0
    return total / len(scores)


@njit(cache=True, nogil=True, error_model="numpy")
def remember(
    now_xy: Floats, joints: Floats, scale_px: float, parents: Indices, time_s: float
) -> None:
    """Takes a believed pose (K, 2) into the memory of joints, in place."""
    last_xy, velocity, reach = joints[:, PLACE], joints[:, VELOCITY], joints[:, REACH]
    for k in range(len(parents)):
        if not (math.isfinite(now_xy[k, 0]) and math.isfinite(now_xy[k, 1])):
            continue
        dt_s = time_s - joints[k, WHEN]
        if dt_s == 0.0:
            continue
        for i in range(2):
            # After a pause nothing is known of the speed.
            speed = (now_xy[k, i] - last_xy[k, i]) / dt_s if dt_s <= FRESH_S else 0.0
            kept = velocity[k, i] if dt_s <= FRESH_S else 0.0
            velocity[k, i] = kept + SHARE * (speed - kept)
            last_xy[k, i] = now_xy[k, i]
        joints[k, WHEN] = time_s
        if parents[k] < 0:
            continue
        limb = apart(now_xy[k], now_xy[parents[k]]) / scale_px
        if not math.isfinite(reach[k]):
            reach[k] = limb
        elif limb > reach[k]:
            reach[k] += LONGER * (limb - reach[k])
        elif limb <= reach[k] and dt_s <= FRESH_S:
            reach[k] += -math.expm1(-dt_s / SHORTEN_S) * (limb - reach[k])


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
