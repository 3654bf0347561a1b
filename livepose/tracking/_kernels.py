"""Numba kernels of the steps that every picture takes, whether the detector looked or not.

``table`` (T,) and ``joints`` (T, K, ...) are those of ``tracks.Tracks``, and a person is one row;
``numbers`` (1,) is that of ``TrackerSettings``, ``chosen`` its row. Few calls that do much: after a
network has run nothing is in the processor's caches, and each call costs microseconds before it
does anything.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes._kernels import around, iou_of
from livepose.compiled import njit
from livepose.tracking import _box_kernels as box
from livepose.tracking import _pose_kernels as pose
from livepose.tracking.tracks import State

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Rows = NDArray[np.int64]
Table = Any
"""Structured arrays, whose columns only numba knows by name."""
Handed = tuple[Floats, Rows, Floats]
"""Boxes (N, 4), ids (N,) and scores (N,)."""

TENTATIVE, ACTIVE, LOST = int(State.TENTATIVE), int(State.ACTIVE), int(State.LOST)

STRAY = 0.75  # keypoints centred farther from the box's centre, in box sizes, are another's
LEVEL_RATE = 0.5  # how quickly the usual mean score of keypoints is learned at detections
STALE_S = 0.5  # keypoints from longer ago say nothing about how a box moved since

# -- when the detector is due --------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def anybody_fades(table: Table, time_s: float, numbers: Table) -> bool:
    """Whether somebody handed out would soon be out of sight, or in doubt, for want of a look."""
    chosen = numbers[0]
    for t in range(len(table)):
        person = table[t]
        # Whom the detector has just confirmed may stay without good keypoints for a while.
        faded = person.faded and not time_s - person.detected_s <= 0.5 * chosen.coast_s
        unseen = faded or time_s - person.seen_s > chosen.coast_s
        doubt_s = time_s - person.proven_s
        doubted = doubt_s > 0.8 * chosen.proof_s and pose.is_proven(person, time_s, chosen)
        if person.state == ACTIVE and person.chosen and (unseen or doubted):
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def interval_s(table: Table, numbers: Table) -> float:
    """How long the detector may rest with these people."""
    chosen = numbers[0]
    shown, busy, crossing = 0, False, False
    for t in range(len(table)):
        person = table[t]
        if person.state == TENTATIVE:
            return 0.0
        if person.state == LOST:
            busy = True
            continue
        shown += 1
        scale_px = box.scale_of(person.xywh)
        busy = busy or person.faded
        if person.state == ACTIVE:
            speed_px = math.hypot(person.velocity[0], person.velocity[1])
            busy = busy or speed_px / scale_px > chosen.fast_speed
        for other in range(t):
            if table[other].state != LOST and overlap_of(table, t, other) > chosen.crossing_iou:
                speed_px = pose.apart(person.velocity[:2], table[other].velocity[:2])
                crossing = crossing or speed_px > chosen.passing_speed * scale_px
                busy = True
    if shown == 0:
        return 0.0
    if crossing:
        return float(chosen.crossing_interval_s)
    return float(chosen.busy_interval_s if busy else chosen.interval_s)


@njit(cache=True, nogil=True, error_model="numpy")
def overlap_of(table: Table, one: int, other: int) -> float:
    """IoU of the boxes of two tracks."""
    return float(iou_of(box.edges_of(table[one].xywh), box.edges_of(table[other].xywh)))


# -- time goes on --------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def advance(table: Table, time_s: float, dt_s: float, acceleration: float, lost_s: float) -> bool:
    """Moves boxes on by ``dt_s``; whether somebody was not seen for ``lost_s``."""
    late = False
    for t in range(len(table)):
        box.advance(table[t], dt_s, acceleration)
        late = late or not time_s - table[t].seen_s <= lost_s
    return late


@njit(cache=True, nogil=True, error_model="numpy")
def coast(table: Table, time_s: float, coast_s: float) -> None:
    """Who was neither detected nor seen by keypoints for ``coast_s`` is out of sight.

    Whoever is not handed out has no keypoints, and waits for the detector's word.
    """
    for t in range(len(table)):
        person = table[t]
        waits = person.state == ACTIVE and not person.chosen and math.isnan(person.missed_s)
        if person.state != TENTATIVE and not waits and time_s - person.seen_s > coast_s:
            person.state = LOST


# -- who is handed out ---------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def assign_ids(table: Table, next_id: int) -> int:
    """Gives ids to those who have become people, largest first; the id that is next then."""
    while True:
        largest, most_px2 = -1, -1.0
        for t in range(len(table)):
            area_px2 = table[t].xywh[2] * table[t].xywh[3]
            if table[t].state == ACTIVE and table[t].ids == 0 and area_px2 > most_px2:
                largest, most_px2 = t, area_px2
        if largest < 0:
            return next_id
        table[largest].ids = next_id
        next_id += 1


@njit(cache=True, nogil=True, error_model="numpy")
def choose(table: Table, max_people: int, time_s: float, hold_s: float) -> None:
    """Marks the ``max_people`` who are handed out: those of before, then the largest and surest.

    Whoever is out of sight for less than ``hold_s`` keeps the place; whoever is nobody after that
    long comes last.
    """
    weights = np.full(len(table), -np.inf)
    for t in range(len(table)):
        person = table[t]
        known = time_s - person.proven_s <= 2 * hold_s or time_s - person.born_s <= hold_s
        if person.chosen and known and time_s - person.seen_s <= hold_s:
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


@njit(cache=True, nogil=True, error_model="numpy")
def handed_out(table: Table) -> Handed:
    """Those chosen, by id."""
    shown = 0
    for t in range(len(table)):
        shown += table[t].state == ACTIVE and table[t].chosen
    boxes_xyxy, ids, scores = np.empty((shown, 4)), np.empty(shown, np.int64), np.empty(shown)
    for t in range(len(table)):
        person, place = table[t], 0
        if person.state != ACTIVE or not person.chosen:
            continue
        for other in range(len(table)):
            before = table[other].state == ACTIVE and table[other].chosen
            place += before and table[other].ids < person.ids
        for i, edge in enumerate(box.edges_of(person.xywh)):
            boxes_xyxy[place, i] = edge
        ids[place], scores[place] = person.ids, person.scores
    return boxes_xyxy, ids, scores


@njit(cache=True, nogil=True, error_model="numpy")
def select_outputs(table: Table, max_people: int, time_s: float, hold_s: float) -> Handed:
    """Chooses, and hands out."""
    choose(table, max_people, time_s, hold_s)
    handed: Handed = handed_out(table)
    return handed


# -- what keypoints say --------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def find_rows(table: Table, track_ids: Rows, time_s: float, rows: Rows) -> tuple[int, bool]:
    """Row of each of these ids (P,), -1 where there is none; how many were found.

    And whether identities may be mixed up: two boxes meet, or somebody came while one is lost.
    """
    found, meeting, came, lost = 0, False, False, False
    for t in range(len(table)):
        lost = lost or table[t].state == LOST
    for p in range(len(track_ids)):
        rows[p] = -1
        for t in range(len(table)):
            if track_ids[p] > 0 and table[t].ids == track_ids[p]:
                rows[p] = t
                break
        if rows[p] < 0:
            continue
        found += 1
        came = came or table[rows[p]].born_s == time_s
        for t in range(len(table)):
            shown = t != rows[p] and table[t].state == ACTIVE and table[t].chosen
            meeting = meeting or (shown and overlap_of(table, rows[p], t) > 0.0)
    return found, meeting or (came and lost)


@njit(cache=True, nogil=True, error_model="numpy")
def take_in(
    tracks: tuple[Table, Floats, Table],
    rows: Rows,
    seen: tuple[Floats, Floats, Masks],
    limbs: pose.Limbs,
    time_s: float,
    marks: tuple[Masks, Masks, Masks],
) -> tuple[bool, bool, bool]:
    """Takes in poses seen on the tracks in ``rows`` (N,): mends them, judges, learns, moves boxes.

    ``tracks`` are table, joints and settings; ``seen`` are keypoints (N, K, 2), scores (N, K), and
    which poses (N,) are somebody else's double and not mended. Sets ``marks``: pairs (N, F) to be
    exchanged, keypoints (N, K) that are not believed, and who is perhaps nobody (N,); whether any.
    """
    table, joints, numbers = tracks
    keypoints_xy, scores, double = seen
    exchanged, refused, doubtful = marks
    chosen = numbers[0]
    now_xy = np.empty(keypoints_xy.shape)
    moves = np.zeros(len(rows), dtype=np.bool_)
    exchanged[:] = False
    refused[:] = False
    for n in range(len(rows)):
        person, memory = table[rows[n]], joints[rows[n]]
        for k in range(scores.shape[1]):
            counts = scores[n, k] >= chosen.keypoint_score
            for i in range(2):
                now_xy[n, k, i] = keypoints_xy[n, k, i] if counts else np.nan
        if not double[n]:
            scale_px = box.scale_of(person.xywh)
            pose.correct_joints(
                now_xy[n], memory, scale_px, limbs, time_s, exchanged[n], refused[n]
            )
            pose.remember(now_xy[n], memory, scale_px, limbs[1], time_s)
        if not double[n] and math.isnan(person.own_s):
            person.own_s = time_s
        elif double[n] and not time_s - person.own_s > chosen.established_s:
            person.own_s = np.nan  # at first, losing a pose of one's own undoes having had one
        level = pose.mean_score(scores[n], limbs[0], exchanged[n], refused[n])
        good = judge(person, now_xy[n], level, time_s, chosen)
        person.faded = not good
        if good:
            moves[n] = learn(table, rows[n], now_xy[n], time_s, chosen.crossing_iou)
    # Only now: whether somebody stands behind another is asked of boxes that have not moved yet.
    for n in range(len(rows)):
        person, memory = table[rows[n]], joints[rows[n]]
        if moves[n]:
            move(person, memory[:, pose.KEYPOINT], now_xy[n], time_s, chosen.box_noise)
        for k in range(len(memory)):
            memory[k, 0], memory[k, 1] = now_xy[n, k]
        doubtful[n] = not pose.prove(person, scores[n], time_s, chosen)
        person.keypoints_s = time_s
        for i, edge in enumerate(box.edges_of(person.xywh)):
            person.looked_xyxy[i] = edge
    return bool(exchanged.any()), bool(refused.any()), bool(doubtful.any())


@njit(cache=True, nogil=True, error_model="numpy")
def learn(table: Table, row: int, now_xy: Floats, time_s: float, crossing_iou: float) -> bool:
    """Learns margins by a good pose (K, 2); whether the box is to move with it.

    Not if the detector has just given it, nor if the detector missed it where somebody else is:
    then the keypoints are likely the other's.
    """
    person = table[row]
    person.seen_s = time_s
    if person.seeded:
        return True
    if person.detected_s == time_s:
        box.learn_margins(person.margins, now_xy, box.edges_of(person.xywh))
        return False
    behind = False
    for other in range(len(table)):
        if other != row and table[other].state == ACTIVE and not math.isnan(person.missed_s):
            behind = behind or overlap_of(table, row, other) > crossing_iou
    return not behind


@njit(cache=True, nogil=True, error_model="numpy")
def judge(person: Any, now_xy: Floats, level: float, time_s: float, chosen: Any) -> bool:
    """Whether a pose (K, 2) of this mean score is good enough to follow; learns the usual one."""
    counted = 0
    for k in range(len(now_xy)):
        counted += math.isfinite(now_xy[k, 0])
    if person.detected_s == time_s:
        usual = level if math.isnan(person.level) else person.level
        person.level = usual + LEVEL_RATE * (level - usual)
    least = chosen.least_level
    if chosen.fade_ratio * person.level > least:
        least = chosen.fade_ratio * person.level
    found, near = around(now_xy, now_xy), True
    for i in range(2):
        away_px = abs((found[i] + found[i + 2]) / 2 - person.xywh[i])
        near = near and away_px <= STRAY * person.xywh[i + 2]
    return level >= least and counted >= chosen.least_keypoints and near


@njit(cache=True, nogil=True, error_model="numpy")
def move(person: Any, before_xy: Floats, now_xy: Floats, time_s: float, box_noise: float) -> None:
    """Moves a box by the keypoints (K, 2) in it; a whole picture shrinks to them at once."""
    age_s = time_s - person.keypoints_s
    if person.seeded or not age_s <= STALE_S:
        age_s = math.inf
    followed = person.looked_xyxy.copy()
    box.follow(followed, before_xy, now_xy, person.margins, age_s)
    if person.seeded:
        box.start(person, followed, box_noise)
        person.seeded = False
    else:
        box.correct(person, followed, box_noise)
