"""Numba kernels of one pose in time: what is mended and remembered of it, and whom it proves.

``joints`` (K, ``JOINT_COLUMNS``) is what a track remembers of each keypoint, ``person`` its row of
``tracks.Tracks``. ``limbs`` are the mirrored pairs (F, 2), and for each keypoint the one before it
on a limb (K,), or -1.

From one image to the next, a left and a right keypoint found about where the other should be by
now have been mixed up: they are exchanged back. A keypoint far from where it should be, on a limb
longer than this person's ever was (often a neighbour's hand), is not believed. Neither is held
against the network for long: what it insists on is true.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import kernel
from livepose.tracking import motion

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Indices = NDArray[np.int64]
Limbs = tuple[Indices, Indices]

JOINT_COLUMNS = 9
KEYPOINT, PLACE, VELOCITY = slice(0, 2), slice(2, 4), slice(4, 6)
WHEN, SWAPPED, REACH = 6, 7, 8
"""Columns of ``joints``: the keypoint of the last image, NaN below the score that counts; where
it was last believed to be, how fast it went in px/s, and when that was; since when the left one of
a pair is exchanged back, NaN while it is not; greatest length of its limb, in body scales."""

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


# -- left and right, and jumps ---------------------------------------------------------------------


@kernel
def correct_joints(
    now_xy: Floats,
    scores: Floats,
    joints: Floats,
    scale_px: float,
    limbs: Limbs,
    time_s: float,
    marks: tuple[Masks, Masks],
) -> None:
    """Mends a pose (K, 2) and its scores in place; marks exchanged pairs (F,) and refused ones."""
    (pairs, parents), (swapped, refused) = limbs, marks
    ahead_xy = np.empty(now_xy.shape)
    last_xy, velocity = joints[:, PLACE], joints[:, VELOCITY]
    for k in range(len(joints)):
        dt_s = time_s - joints[k, WHEN]
        for i in range(2):
            there = last_xy[k, i] + velocity[k, i] * dt_s
            ahead_xy[k, i] = there if dt_s <= FRESH_S else np.nan
    whole = mark_mixed_up(now_xy, ahead_xy, scale_px, pairs, swapped)
    swap_back(joints[:, SWAPPED], whole, pairs, time_s, swapped)
    for p in range(len(pairs)):
        a, b = pairs[p]
        if swapped[p]:
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
def mark_mixed_up(
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


@kernel
def swap_back(
    swapped_s: Floats, whole: bool, pairs: Indices, time_s: float, swapped: Masks
) -> None:
    """Marks all ``pairs`` (F, 2) where most are, and unmarks those exchanged for too long.

    Limbs may cross; a whole body turns about only by way of its profile, where nothing is far
    apart. So where most pairs are mixed up all are exchanged, and for longer.
    """
    since_s, hold_s = time_s, HOLD_WHOLE_S if whole else HOLD_S
    for p in range(len(pairs)):
        if whole and swapped_s[pairs[p, 0]] < since_s:
            since_s = swapped_s[pairs[p, 0]]
    for p in range(len(pairs)):
        a = pairs[p, 0]
        if not (swapped[p] or whole):
            swapped_s[a] = np.nan
            continue
        if whole or not swapped_s[a] <= time_s:
            swapped_s[a] = since_s
        swapped[p] = time_s - swapped_s[a] <= hold_s


@kernel
def remember(
    now_xy: Floats, joints: Floats, scale_px: float, parents: Indices, time_s: float
) -> None:
    """Takes a believed pose (K, 2) into the memory of joints, in place."""
    last_xy, velocity, reach = joints[:, PLACE], joints[:, VELOCITY], joints[:, REACH]
    for k in range(len(parents)):
        dt_s = time_s - joints[k, WHEN]
        if dt_s == 0.0 or not (math.isfinite(now_xy[k, 0]) and math.isfinite(now_xy[k, 1])):
            continue
        fresh = dt_s <= FRESH_S  # after a pause nothing is known of the speed
        for i in range(2):
            speed = (now_xy[k, i] - last_xy[k, i]) / dt_s if fresh else 0.0
            kept = velocity[k, i] if fresh else 0.0
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
        elif limb <= reach[k] and fresh:
            reach[k] += -math.expm1(-dt_s / SHORTEN_S) * (limb - reach[k])


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
    if apart(person.xywh[:2], person.anchor_xy) > MOVED * motion.scale_of(person.xywh):
        person.moved_s = time_s
    return bool(time_s - person.moved_s <= ANCHOR_S)
