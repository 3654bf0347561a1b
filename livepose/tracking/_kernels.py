"""Numba kernels of the steps that every picture takes, whether the detector looked or not.

``table`` (T,) is that of ``tracks.Tracks`` and a person one row of it; ``rows`` (N,) say on which
rows N poses were seen; ``numbers`` (1,) is that of ``TrackerSettings``. A person costs a
microsecond or two here, where each call into NumPy costs as much.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from livepose.boxes._kernels import iou_of
from livepose.tracking import _box_kernels as box
from livepose.tracking import _pose_kernels as pose
from livepose.tracking.state import State

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Rows = NDArray[np.int64]
Table = NDArray[np.void]

TENTATIVE, ACTIVE = int(State.TENTATIVE), int(State.ACTIVE)
LOST = int(State.LOST)

STRAY = 0.75
"""Keypoints centred farther from the box's centre, in box sizes, are not this person's."""
LEVEL_RATE = 0.5
"""How quickly the usual mean score of a person's keypoints is learned at detections."""
STALE_S = 0.5
"""Keypoints from longer ago say nothing about how a box moved since."""
STAY_BONUS = 1.3
"""Of two people of like size and score, the one handed out before stays."""

UNSURE, CROSSING, BUSY, CALM = range(4)
"""What goes on among people, as ``unrest`` says; see ``rest``."""

# -- when the detector is due --------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def anybody_faded(table: Table) -> bool:
    """Whether the keypoints of somebody who is handed out have faded."""
    faded = False
    for t in range(len(table)):
        faded = faded or (table[t].faded and table[t].state == ACTIVE)
    return faded


@njit(cache=True, nogil=True, error_model="numpy")
def unrest(table: Table, crossing_iou: float, fast_speed: float) -> int:
    """What goes on among people; speeds are body scales a second."""
    shown, busy, crossing = 0, False, False
    for t in range(len(table)):
        person = table[t]
        if person.state == TENTATIVE:
            return UNSURE
        if person.state == LOST:
            busy = True
            continue
        shown += 1
        if person.state == ACTIVE:
            speed_px = math.hypot(person.velocity[0], person.velocity[1])
            busy = busy or speed_px / box.scale_of(person.xywh) > fast_speed
        for other in range(t):
            crossing = crossing or (
                table[other].state != LOST and overlap_of(table, t, other) > crossing_iou
            )
    if shown == 0 or anybody_faded(table):
        return UNSURE
    if crossing:
        return CROSSING
    return BUSY if busy else CALM


@njit(cache=True, nogil=True, error_model="numpy")
def overlap_of(table: Table, one: int, other: int) -> float:
    """IoU of the boxes of two tracks."""
    return iou_of(box.edges_of(table[one].xywh), box.edges_of(table[other].xywh))


# -- time goes on --------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def anybody_late(table: Table, time_s: float, lost_s: float) -> bool:
    """Whether somebody was not seen for so long."""
    late = False
    for t in range(len(table)):
        late = late or not time_s - table[t].seen_s <= lost_s
    return late


@njit(cache=True, nogil=True, error_model="numpy")
def advance(table: Table, dt_s: float, acceleration: float) -> None:
    """Moves everybody's box on by ``dt_s``."""
    box.advance(table.xywh, table.velocity, table.variance, dt_s, acceleration)


@njit(cache=True, nogil=True, error_model="numpy")
def coast(table: Table, time_s: float, coast_s: float) -> None:
    """Who was neither detected nor seen by keypoints for ``coast_s`` is out of sight."""
    for t in range(len(table)):
        if table[t].state != TENTATIVE and time_s - table[t].seen_s > coast_s:
            table[t].state = LOST


# -- who is handed out ---------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def name(table: Table, next_id: int) -> int:
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
def choose(table: Table, max_people: int) -> None:
    """Marks those who are handed out: the ``max_people`` largest and surest."""
    weights = np.full(len(table), -np.inf)
    for t in range(len(table)):
        person = table[t]
        if person.state == ACTIVE:
            bonus = STAY_BONUS if person.chosen else 1.0
            weights[t] = person.scores * math.sqrt(person.xywh[2] * person.xywh[3]) * bonus
        person.chosen = False
    for _ in range(min(max_people, len(table))):
        best = weights.argmax()
        if weights[best] == -np.inf:
            return
        table[best].chosen = True
        weights[best] = -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def hand_out(table: Table, boxes_xyxy: Floats, ids: Rows, scores: Floats) -> int:
    """Boxes (T, 4), ids (T,) and scores (T,) of those chosen, by id; how many there are."""
    count = 0
    for t in range(len(table)):
        person = table[t]
        if person.state != ACTIVE or not person.chosen:
            continue
        place = count
        while place > 0 and ids[place - 1] > person.ids:
            boxes_xyxy[place] = boxes_xyxy[place - 1]
            ids[place], scores[place] = ids[place - 1], scores[place - 1]
            place -= 1
        left, top, right, bottom = box.edges_of(person.xywh)
        boxes_xyxy[place, 0], boxes_xyxy[place, 1] = left, top
        boxes_xyxy[place, 2], boxes_xyxy[place, 3] = right, bottom
        ids[place], scores[place] = person.ids, person.scores
        count += 1
    return count


# -- what keypoints say --------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def find_rows(table: Table, track_ids: Rows, rows: Rows) -> int:
    """Row of each of these ids (P,), -1 where there is none; how many were found."""
    found = 0
    for p in range(len(track_ids)):
        rows[p] = -1
        for t in range(len(table)):
            if track_ids[p] > 0 and table[t].ids == track_ids[p]:
                rows[p] = t
                found += 1
                break
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def anything_to_mend(table: Table, rows: Rows, time_s: float) -> bool:
    """Whether identities may be mixed up: two boxes meet, or somebody came while one is lost."""
    came = lost = False
    for t in range(len(table)):
        lost = lost or table[t].state == LOST
    for n in range(len(rows)):
        came = came or table[rows[n]].born_s == time_s
        for other in range(n):
            if overlap_of(table, rows[n], rows[other]) > 0.0:
                return True
    return came and lost


@njit(cache=True, nogil=True, error_model="numpy")
def mend(
    table: Table,
    rows: Rows,
    double: Masks,
    keypoints_xy: Floats,
    scores: Floats,
    least_score: float,
    pairs: Rows,
    parents: Rows,
    time_s: float,
    find: pose.Find,
    keep: pose.Keep,
    exchanged: Masks,
    refused: Masks,
) -> tuple[int, int]:
    """Looks for swaps and jumps in poses (N, K, 2), and remembers them mended; see ``joints``.

    Those that are somebody else's ``double`` (N,) are left out. Sets which pairs (N, F) have to
    be exchanged and which keypoints (N, K) are not believed, and returns how many those are.
    """
    joints, swaps, jumps = scores.shape[1], 0, 0
    now_xy, ahead_xy = np.empty((joints, 2)), np.empty((joints, 2))
    for n in range(len(rows)):
        if double[n]:
            continue
        person = table[rows[n]]
        last_xy, velocity, last_s = person.joint_xy, person.joint_velocity, person.joint_s
        scale_px = box.scale_of(person.xywh)
        pose.counted(keypoints_xy[n], scores[n], least_score, now_xy)
        pose.look_ahead(last_xy, velocity, last_s, time_s, find[0], ahead_xy)
        pose.exchange_back(
            now_xy, ahead_xy, person.swapped_s, scale_px, pairs, time_s, find, exchanged[n]
        )
        pose.refuse_jumps(
            now_xy, ahead_xy, last_s, person.reach, scale_px, parents, time_s, find, refused[n]
        )
        pose.remember(
            now_xy, last_xy, velocity, last_s, person.reach, scale_px, parents, time_s, keep
        )
        swaps, jumps = swaps + exchanged[n].sum(), jumps + refused[n].sum()
    return swaps, jumps


@njit(cache=True, nogil=True, error_model="numpy")
def store(
    table: Table,
    rows: Rows,
    keypoints_xy: Floats,
    scores: Floats,
    time_s: float,
    numbers: Table,
) -> None:
    """Takes in poses (N, K, 2) with scores (N, K): judges them, learns of them, moves boxes."""
    chosen = numbers[0]
    now_xy = np.empty(keypoints_xy.shape)
    moves = np.zeros(len(rows), dtype=np.bool_)
    for n in range(len(rows)):
        person = table[rows[n]]
        pose.counted(keypoints_xy[n], scores[n], chosen.keypoint_score, now_xy[n])
        good = judge(person, now_xy[n], scores[n], time_s, chosen)
        person.faded = not good
        if not good:
            continue
        person.seen_s = time_s
        detected = person.detected_s == time_s
        if detected and not person.seeded:
            box.learn_margins(person.margins, now_xy[n], box.edges_of(person.xywh))
        behind = behind_another(table, rows[n], chosen.crossing_iou)
        moves[n] = person.seeded or not (detected or behind)
    # Only now: whether somebody stands behind another is asked of boxes that have not moved yet.
    for n in range(len(rows)):
        person = table[rows[n]]
        if moves[n]:
            move(person, now_xy[n], time_s, chosen.box_noise)
        person.keypoints_xy[:] = now_xy[n]
        person.keypoints_s = time_s
        for i, edge in enumerate(box.edges_of(person.xywh)):
            person.looked_xyxy[i] = edge


@njit(cache=True, nogil=True, error_model="numpy")
def judge(person: Any, now_xy: Floats, scores: Floats, time_s: float, chosen: Any) -> bool:
    """Whether a pose (K, 2) is good enough to follow; learns the usual level of its scores."""
    level, counted = 0.0, 0
    for k in range(len(scores)):
        level += scores[k] if math.isfinite(scores[k]) else 0.0
        counted += math.isfinite(now_xy[k, 0])
    level /= len(scores)
    if person.detected_s == time_s:
        usual = level if math.isnan(person.level) else person.level
        person.level = usual + LEVEL_RATE * (level - usual)
    least = chosen.least_level
    if chosen.fade_ratio * person.level > least:
        least = chosen.fade_ratio * person.level
    found, near = box.around(now_xy, now_xy), True
    for i in range(2):
        away_px = abs((found[i] + found[i + 2]) / 2 - person.xywh[i])
        near = near and away_px <= STRAY * person.xywh[i + 2]
    return level >= least and counted >= chosen.least_keypoints and near


@njit(cache=True, nogil=True, error_model="numpy")
def behind_another(table: Table, row: int, crossing_iou: float) -> bool:
    """Whether the detector missed somebody where somebody else is."""
    if math.isnan(table[row].missed_s):
        return False
    behind = False
    for other in range(len(table)):
        if other != row and table[other].state == ACTIVE:
            behind = behind or overlap_of(table, row, other) > crossing_iou
    return behind


@njit(cache=True, nogil=True, error_model="numpy")
def move(person: Any, now_xy: Floats, time_s: float, box_noise: float) -> None:
    """Moves a box by the keypoints (K, 2) in it; a whole picture shrinks to them at once."""
    age_s = time_s - person.keypoints_s
    if person.seeded or not age_s <= STALE_S:
        age_s = math.inf
    followed = person.looked_xyxy.copy()
    box.follow(followed, person.keypoints_xy, now_xy, person.margins, age_s)
    if person.seeded:
        box.start(person.xywh, person.velocity, person.variance, followed, box_noise)
        person.seeded = False
    else:
        box.correct(person.xywh, person.velocity, person.variance, followed, box_noise)
