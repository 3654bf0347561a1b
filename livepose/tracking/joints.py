"""Numba kernels of one pose in time: what is mended and remembered of it, and whom it proves.

``joints`` (K, ``JOINT_COLUMNS``) is what a track remembers of each keypoint, ``person`` its row of
the table. ``limbs`` are the mirrored pairs (F, 2), and for each keypoint the one before it on a
limb (K,), or -1.

From one image to the next, a left and a right keypoint found about where the other should be by
now have been mixed up: they are exchanged back. A keypoint far from where it should be, on a limb
longer than this person's ever was (often a neighbour's hand), is not believed. Neither is held
against the network for long: what it insists on is true.
"""

import math
from typing import Any

import numpy as np

from livepose.compiled import kernel
from livepose.tracking.tracks import (
    PLACE,
    REACH,
    SWAPPED,
    VELOCITY,
    WHEN,
    Floats,
    Mask,
    Rows,
    scale_of,
)

Limbs = tuple[Rows, Rows]

FRESH_S = 0.25  # older memory says nothing; so long at most a jump is not believed
HOLD_S, HOLD_WHOLE_S = 0.5, 2.0  # left and right are exchanged back so long: limbs, whole bodies
WHOLE = 3  # fewer pairs are no whole body
RATIO = 0.5  # how much nearer keypoints are to where the other should be than to their own place
APART = 0.12  # how far apart those places are, in body scales
JUMP, SPEED = 0.25, 4.0  # how far is far: so many body scales, or body scales a second
STRETCH = 1.4  # a limb is too long from so many times its greatest length on
SHARE, LONGER, SHORTEN_S = 0.5, 0.3, 5.0  # how quickly speeds, longer and shorter limbs are learned


@kernel
def apart(first_xy: Floats, second_xy: Floats) -> float:
    """Distance of two places, (2,) each."""
    return math.hypot(first_xy[0] - second_xy[0], first_xy[1] - second_xy[1])


@kernel
def correct_joints(
    now_xy: Floats,
    scores: Floats,
    joints: Floats,
    scale_px: float,
    limbs: Limbs,
    time_s: float,
    marks: tuple[Mask, Mask],
) -> None:
    """Mends a pose (K, 2) and its scores in place; marks exchanged pairs (F,) and refused ones."""
    (pairs, parents), (swapped, refused) = limbs, marks
    ahead_xy = np.full(now_xy.shape, np.nan)
    for k in range(len(joints)):
        dt_s = time_s - joints[k, WHEN]
        if dt_s <= FRESH_S:
            ahead_xy[k] = joints[k, PLACE] + joints[k, VELOCITY] * dt_s
    find_swapped(now_xy, ahead_xy, scale_px, pairs, joints[:, SWAPPED], time_s, swapped)
    for p in range(len(pairs)):
        if swapped[p]:
            a, b = pairs[p]
            scores[a], scores[b] = scores[b], scores[a]
            for i in range(2):
                now_xy[a, i], now_xy[b, i] = now_xy[b, i], now_xy[a, i]
    for k in range(len(parents)):
        gate_px = max(JUMP, SPEED * (time_s - joints[k, WHEN])) * scale_px
        if parents[k] >= 0 and apart(now_xy[k], ahead_xy[k]) > gate_px:
            mate = parents[k]
            held = ahead_xy[mate] if refused[mate] else now_xy[mate]
            refused[k] = apart(now_xy[k], held) > STRETCH * joints[k, REACH] * scale_px
    for k in range(len(parents)):
        if refused[k]:
            now_xy[k], scores[k] = np.nan, 0.0


@kernel
def find_swapped(
    now_xy: Floats,
    ahead_xy: Floats,
    scale_px: float,
    pairs: Rows,
    since_s: Floats,
    time_s: float,
    swapped: Mask,
) -> None:
    """Marks the ``pairs`` (F, 2) to be exchanged back, and since when in ``since_s`` (K,).

    Limbs may cross; a whole body turns about only by way of its profile, where nothing is far
    apart. So where most pairs are mixed up all are exchanged, and for longer.
    """
    told, count, whole_s = 0, 0, time_s
    for p in range(len(pairs)):
        a, b = pairs[p]
        straight = apart(now_xy[a], ahead_xy[a]) + apart(now_xy[b], ahead_xy[b])
        turned = apart(now_xy[a], ahead_xy[b]) + apart(now_xy[b], ahead_xy[a])
        # Comparisons with what is not known are false.
        far_apart = apart(ahead_xy[a], ahead_xy[b]) > APART * scale_px
        swapped[p] = far_apart and turned < RATIO * straight
        told += far_apart and math.isfinite(straight)
        count += swapped[p]
        if since_s[a] < whole_s:
            whole_s = since_s[a]
    whole = count >= WHOLE and 2 * count >= told
    hold_s = HOLD_WHOLE_S if whole else HOLD_S
    for p in range(len(pairs)):
        a = pairs[p, 0]
        if whole:
            since_s[a] = whole_s
        elif not swapped[p]:
            since_s[a] = np.nan
        elif not since_s[a] <= time_s:
            since_s[a] = time_s
        swapped[p] = time_s - since_s[a] <= hold_s


@kernel
def remember(now_xy: Floats, joints: Floats, scale_px: float, parents: Rows, time_s: float) -> None:
    """Takes a believed pose (K, 2) into the memory of joints, in place."""
    for k in range(len(parents)):
        memory, dt_s = joints[k], time_s - joints[k, WHEN]
        if dt_s == 0.0 or not math.isfinite(now_xy[k, 0] + now_xy[k, 1]):
            continue
        fresh = dt_s <= FRESH_S  # after a pause nothing is known of the speed
        if not fresh:
            memory[VELOCITY] = 0.0
        else:
            memory[VELOCITY] += SHARE * ((now_xy[k] - memory[PLACE]) / dt_s - memory[VELOCITY])
        memory[PLACE], memory[WHEN] = now_xy[k], time_s
        if parents[k] < 0:
            continue
        limb = apart(now_xy[k], now_xy[parents[k]]) / scale_px
        if not math.isfinite(memory[REACH]):
            memory[REACH] = limb
        elif limb > memory[REACH]:
            memory[REACH] += LONGER * (limb - memory[REACH])
        elif limb <= memory[REACH] and fresh:
            memory[REACH] -= math.expm1(-dt_s / SHORTEN_S) * (limb - memory[REACH])


# -- proof that somebody is somebody: a coat, a post or a sign is not shown for long ---------------

# By the mean of the best five keypoints: a striped post has 0.73 in a tenth of its images and
# 0.67 on average, people who sit still 0.8 and more, and a box that wanders over a wall 0.42.
PROOF_KEYPOINTS = 5  # of somebody at the image's edge there may be no more
PROOF_SCORE = 0.8
USUAL_SCORE = 0.73  # enough on average over ...
BEST_S = 1.0  # ... so long
MOVING_SCORE = 0.45  # enough for who moves as posts do not, or is proven for ``PROOF_S`` ...
MOVING_DETECTION = 0.5  # the same of the detector's score
LASTING_S = 2.0  # ... and was sure so lately
PROOF_S = 0.5  # who is not sure again for so long is nobody
DOUBTS = 3  # so many images does one that was sure count for, itself included
ANCHOR_S = 1.0  # whether somebody moves is asked over so long
MOVED = 0.35  # body scales in that time; boxes of posts tremble by up to 0.24


@kernel
def prove(person: Any, scores: Floats, time_s: float, whole_frame: bool) -> bool:
    """Whether somebody whose keypoints score so (K,) is somebody, by what was seen of late.

    A thing that resembles a person stands still, and is sure for a moment at most; nobody has
    had time to move in the first images.
    """
    best = float(np.sort(scores)[-PROOF_KEYPOINTS:].mean())
    usual = best if math.isnan(person.best) else person.best
    person.best = usual - math.expm1(-(time_s - person.keypoints_s) / BEST_S) * (best - usual)
    moving = moves_about(person, time_s)
    known = is_proven(person, time_s)
    if not known:
        person.sure_since_s = time_s
    usually = person.best >= USUAL_SCORE and best >= MOVING_SCORE
    if best >= PROOF_SCORE or usually or whole_frame:
        person.strong_s = time_s
    lasting = known and person.proven_s - person.sure_since_s >= PROOF_S
    lasting = lasting and time_s - person.strong_s <= LASTING_S
    found = person.detected_s == time_s and person.scores >= MOVING_DETECTION
    person.doubts += 1
    if person.strong_s == time_s or ((best >= MOVING_SCORE or found) and (moving or lasting)):
        person.proven_s, person.doubts = time_s, 0
    new = math.isnan(person.proven_s) and person.doubts <= DOUBTS
    return is_proven(person, time_s) or (new and best >= MOVING_SCORE)


@kernel
def is_proven(person: Any, time_s: float) -> bool:
    """Whether the last proof still counts: a look or two after one, longer after many."""
    age_s, span_s = time_s - person.proven_s, person.proven_s - person.sure_since_s
    return bool(age_s <= PROOF_S and (age_s <= span_s or person.doubts < DOUBTS))


@kernel
def moves_about(person: Any, time_s: float) -> bool:
    """Whether a box has gone somewhere in the last second."""
    if not time_s - person.anchor_s <= ANCHOR_S:
        person.anchor_xy[0], person.anchor_xy[1] = person.xywh[0], person.xywh[1]
        person.anchor_s = time_s
    if apart(person.xywh[:2], person.anchor_xy) > MOVED * scale_of(person.xywh):
        person.moved_s = time_s
    return bool(time_s - person.moved_s <= ANCHOR_S)
