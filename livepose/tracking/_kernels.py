"""Numba kernels of the steps that every image takes, whether the detector looked or not.

``table`` (T,) and ``joints`` (T, K, ...) are those of ``tracks.Tracks``, and a person is one row.
Few calls that do much: after a network has run nothing is in the processor's caches, and each call
costs microseconds before it does anything.
"""

import math
from typing import Any

import numpy as np

from livepose.boxes import around, iou_of
from livepose.compiled import kernel
from livepose.tracking import joints as joint
from livepose.tracking import tracks
from livepose.tracking.joints import Limbs
from livepose.tracking.tracks import Floats, Mask, Rows, State, edges_of, scale_of

Table = Any
"""Structured array, whose columns only numba knows by name."""

TENTATIVE, ACTIVE, LOST = State.TENTATIVE, State.ACTIVE, State.LOST

INTERVAL_S = 0.5  # newcomers wait so long at most
BUSY_INTERVAL_S = 0.2  # ... while somebody is fast or lost
CROSSING_INTERVAL_S = 0.045  # ... while boxes overlap and one passes the other
FAST_SPEED = 1.0  # body scales a second
PASSING_SPEED = 0.3  # body scales a second; three women side by side stay below
CROSSING_IOU = 0.2  # overlap from which on people may be mixed up
ESTABLISHED_S = 0.5  # whoever had a pose of their own for so long keeps it

# Which keypoints hold a person.
KEYPOINT_SCORE = 0.15  # a keypoint counts from here on
LEAST_KEYPOINTS = 3  # fewer do not hold a person
LEAST_LEVEL = 0.1  # mean score of all keypoints below which they are faded ...
FADE_RATIO = 0.5  # ... or below this part of the mean at the last detection
LEVEL_RATE = 0.5  # how quickly the usual mean is learned at detections
STRAY = 0.75  # keypoints centred farther from the box's centre, in box sizes, are another's
STALE_S = 0.5  # keypoints from longer ago say nothing about how a box moved since


@kernel
def anybody_fades(table: Table, time_s: float, coast_s: float) -> bool:
    """Whether somebody handed out would soon be out of sight, or in doubt, for want of a look."""
    for person in table:
        # Whom the detector has just confirmed may stay without good keypoints for a while.
        faded = person.faded and not time_s - person.detected_s <= 0.5 * coast_s
        unseen = faded or time_s - person.seen_s > coast_s
        aging = time_s - person.proven_s > 0.8 * joint.PROOF_S
        doubted = aging and joint.is_proven(person, time_s)
        if person.state == ACTIVE and person.chosen and (unseen or doubted):
            return True
    return False


@kernel
def interval_s(table: Table) -> float:
    """How long the detector may rest with these people."""
    shown, longest_s = 0, INTERVAL_S
    for t in range(len(table)):
        person = table[t]
        if person.state == TENTATIVE:
            return 0.0
        if person.state == LOST:
            longest_s = min(longest_s, BUSY_INTERVAL_S)
            continue
        shown += 1
        scale_px = scale_of(person.xywh)
        speed = math.hypot(person.velocity[0], person.velocity[1]) / scale_px
        if person.faded or (person.state == ACTIVE and speed > FAST_SPEED):
            longest_s = min(longest_s, BUSY_INTERVAL_S)
        for other in range(t):
            if table[other].state != LOST and overlap_of(table, t, other) > CROSSING_IOU:
                speed_px = joint.apart(person.velocity[:2], table[other].velocity[:2])
                passing = speed_px > PASSING_SPEED * scale_px
                longest_s = min(longest_s, CROSSING_INTERVAL_S if passing else BUSY_INTERVAL_S)
    return longest_s if shown else 0.0


@kernel
def overlap_of(table: Table, one: int, other: int) -> float:
    """IoU of the boxes of two tracks."""
    return float(iou_of(edges_of(table[one].xywh), edges_of(table[other].xywh)))


@kernel
def coast(table: Table, time_s: float, coast_s: float) -> None:
    """Who was neither detected nor seen by keypoints for ``coast_s`` is out of sight.

    Whoever is not handed out has no keypoints, and waits for the detector's word.
    """
    for person in table:
        waits = person.state == ACTIVE and not person.chosen and math.isnan(person.missed_s)
        if person.state != TENTATIVE and not waits and time_s - person.seen_s > coast_s:
            person.state = LOST


@kernel
def select_outputs(table: Table, max_people: int, time_s: float) -> None:
    """Marks the ``max_people`` who are handed out: those of before, then the largest and surest.

    Whoever is out of sight for less than ``ESTABLISHED_S`` keeps the place; whoever is nobody after
    that long comes last.
    """
    weights = np.full(len(table), -np.inf)
    for t in range(len(table)):
        person = table[t]
        known = time_s - person.proven_s <= 2 * ESTABLISHED_S
        known = known or time_s - person.born_s <= ESTABLISHED_S
        if person.chosen and known and time_s - person.seen_s <= ESTABLISHED_S:
            weights[t] = np.inf
        elif person.state == ACTIVE:
            size_px = math.sqrt(person.xywh[2] * person.xywh[3])
            weights[t] = person.scores * size_px if known else 0.0
        person.chosen = False
    for _ in range(min(max_people, len(table))):
        best = weights.argmax()
        if weights[best] == -np.inf:
            return
        table[best].chosen = True
        weights[best] = -np.inf


@kernel
def handed_out(table: Table) -> tuple[Floats, Rows, Floats]:
    """Boxes (N, 4), ids (N,) and scores (N,) of those marked, by id."""
    rows, shown = np.empty(len(table), np.int64), 0
    for t in range(len(table)):
        if table[t].state == ACTIVE and table[t].chosen:
            rows[shown] = t
            shown += 1
    boxes_xyxy, ids, scores = np.empty((shown, 4)), np.empty(shown, np.int64), np.empty(shown)
    for t in rows[:shown]:
        place = 0
        for other in rows[:shown]:
            place += table[other].ids < table[t].ids
        ids[place], scores[place] = table[t].ids, table[t].scores
        for i, edge in enumerate(edges_of(table[t].xywh)):
            boxes_xyxy[place, i] = edge
    return boxes_xyxy, ids, scores


# -- what keypoints say ----------------------------------------------------------------------------


@kernel
def find_rows(table: Table, track_ids: Rows, time_s: float) -> tuple[Rows, int, bool]:
    """Row of each of these ids (P,), -1 where there is none; how many were found.

    And whether they may be mixed up: two boxes meet, or somebody came while one is lost.
    """
    rows, found = np.full(len(track_ids), -1), 0
    meeting, came, lost = False, False, False
    for t in range(len(table)):
        lost = lost or table[t].state == LOST
        for p in range(len(track_ids)):
            if track_ids[p] > 0 and table[t].ids == track_ids[p]:
                rows[p] = t
                found += 1
                came = came or table[t].born_s == time_s
    for t in range(len(table)):
        if table[t].state == ACTIVE and table[t].chosen:
            for row in rows:
                meeting = meeting or (row >= 0 and row != t and overlap_of(table, row, t) > 0.0)
    return rows, found, meeting or (came and lost)


@kernel
def take_in(
    table: Table,
    joints: Floats,
    rows: Rows,
    seen: tuple[Floats, Floats, Mask],
    limbs: Limbs,
    time_s: float,
    whole_frame: bool,
) -> tuple[Mask, Mask, Mask, bool]:
    """Takes in poses seen on the tracks in ``rows`` (N,): mends them, judges, learns, moves boxes.

    ``seen`` are keypoints (N, K, 2), scores (N, K), and which poses (N,) are duplicates, which are
    not corrected. Returns pairs (N, F) to be exchanged, keypoints (N, K) that are not believed, and
    who is perhaps nobody (N,); whether any of these is.
    """
    keypoints_xy, scores, duplicate = seen
    swapped = np.zeros((len(rows), len(limbs[0])), dtype=np.bool_)
    refused = np.zeros(scores.shape, dtype=np.bool_)
    moves, doubtful = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.bool_)
    now_xy, corrected = keypoints_xy.copy(), scores.copy()
    for n in range(len(rows)):
        person, memory = table[rows[n]], joints[rows[n]]
        for k in range(scores.shape[1]):
            if not scores[n, k] >= KEYPOINT_SCORE:
                now_xy[n, k] = np.nan
        if not duplicate[n]:
            scale_px = scale_of(person.xywh)
            marks = swapped[n], refused[n]
            joint.correct_joints(now_xy[n], corrected[n], memory, scale_px, limbs, time_s, marks)
            joint.remember(now_xy[n], memory, scale_px, limbs[1], time_s)
            if math.isnan(person.own_s):
                person.own_s = time_s
        elif not time_s - person.own_s > ESTABLISHED_S:
            person.own_s = np.nan  # at first, losing a pose of one's own undoes having had one
        person.faded = not judge(person, now_xy[n], corrected[n], time_s)
        moves[n] = not person.faded and learn(table, rows[n], now_xy[n], time_s)
    # Only now: whether somebody stands behind another is asked of boxes that have not moved yet.
    for n in range(len(rows)):
        person, memory = table[rows[n]], joints[rows[n]]
        if moves[n]:
            # A whole image shrinks to the keypoints at once.
            age_s = time_s - person.keypoints_s
            fresh = age_s <= STALE_S and not person.seeded
            before_xy = memory[:, tracks.KEYPOINT]
            tracks.move_with_keypoints(person, before_xy, now_xy[n], age_s if fresh else math.inf)
            person.seeded = False
        for k in range(len(memory)):
            memory[k, 0], memory[k, 1] = now_xy[n, k]
        doubtful[n] = not joint.prove(person, scores[n], time_s, whole_frame)
        person.keypoints_s = time_s
        for i, edge in enumerate(edges_of(person.xywh)):
            person.looked_xyxy[i] = edge
    changed = bool(swapped.any() or refused.any() or doubtful.any())
    return swapped, refused, doubtful, changed


@kernel
def judge(person: Any, now_xy: Floats, scores: Floats, time_s: float) -> bool:
    """Whether a corrected pose (K, 2) is good enough to follow; learns its usual mean score."""
    counted, level = 0, 0.0
    for k in range(len(now_xy)):
        counted += math.isfinite(now_xy[k, 0])
        level += scores[k] if math.isfinite(scores[k]) else 0.0
    level /= len(scores)
    if person.detected_s == time_s:
        usual = level if math.isnan(person.level) else person.level
        person.level = usual + LEVEL_RATE * (level - usual)
    good = counted >= LEAST_KEYPOINTS and level >= LEAST_LEVEL
    good = good and not level < FADE_RATIO * person.level
    found = around(now_xy, now_xy)
    for i in range(2):
        away_px = abs((found[i] + found[i + 2]) / 2 - person.xywh[i])
        good = good and away_px <= STRAY * person.xywh[i + 2]
    return good


@kernel
def learn(table: Table, row: int, now_xy: Floats, time_s: float) -> bool:
    """Learns margins by a good pose (K, 2); whether the box is to move with it.

    Not if the detector has just given it, nor if the detector missed it where somebody else is:
    then the keypoints are likely the other's.
    """
    person = table[row]
    person.seen_s = time_s
    if person.seeded:
        return True
    if person.detected_s == time_s:
        tracks.learn_margins(person.margins, now_xy, edges_of(person.xywh))
        return False
    for other in range(len(table)):
        apart = other == row or table[other].state != ACTIVE or math.isnan(person.missed_s)
        if not apart and overlap_of(table, row, other) > CROSSING_IOU:
            return False
    return True
