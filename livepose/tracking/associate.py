"""Which detection is whom: births, meetings, losses.

Two stages as in ByteTrack (Zhang et al., ECCV 2022, https://arxiv.org/abs/2110.06864): strong
detections choose first, then weak ones may keep alive who is already there. Those out of sight
come after those in sight, with a looser gate for strong detections; what is left is born.
"""

import lap
import numpy as np

from livepose import boxes
from livepose.boxes import Boxes
from livepose.tracking.joints import PROOF_S
from livepose.tracking.tracks import Floats, Rows, State, Tracks, correct_rows

STRONG_SCORE = 0.4  # detections from here on are matched first
BIRTH_SCORE = 0.3  # nobody is born of less; enough in the very first image
SURE_SCORE = 0.6  # born at once from here on
BIRTH_HITS = 3  # so many detections in a row make a weak one a person

# Least overlap of a predicted box with a strong detection, a weak one (half a ghost), and of
# somebody lost, both boxes grown by a part of their size on each side.
MATCH_IOU = 0.2
WEAK_MATCH_IOU = 0.4
LOST_MATCH_IOU = 0.15
LOST_BUFFER = 0.3

CONTAINED = 0.6  # a box so far inside another's is not believed at once
UNCONFIRMED_S = 1.5  # carried by keypoints alone, past a detector that does not agree


def assign(likeness: Floats, least: float) -> tuple[Rows, Rows]:
    """Rows and columns of ``likeness`` (P, Q) that belong together, none below ``least``.

    The linear assignment of greatest total likeness, by Jonker and Volgenant. Pairs below ``least``
    count as nothing before the assignment, not after it: an impossible pair cannot push a possible
    one aside.
    """
    if not likeness.size:  # lap writes past the end of an empty matrix
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    possible = np.where(likeness >= least, likeness, 0.0)
    column_of_row, _ = lap.lapjv(1.0 - possible, extend_cost=True, return_cost=False)
    rows = np.flatnonzero(column_of_row >= 0)
    columns = column_of_row[rows]
    kept = possible[rows, columns] > 0
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)


def meet(
    tracks: Tracks, boxes_xyxy: Boxes, scores: Floats, time_s: float, coast_s: float, first: bool
) -> Tracks:
    """The tracks after a look of the detector, in whose ``first`` image everybody is believed.

    Of those whom it missed, who was only tentative is gone. Who has no good keypoints either is
    lost; good keypoints carry the others for ``UNCONFIRMED_S``.
    """
    owner = _match(tracks, boxes_xyxy, scores)
    met, free = owner >= 0, owner < 0
    missed = tracks.state != State.LOST
    missed[owner[met]] = False
    _absorb(tracks, owner[met], boxes_xyxy[met], scores[met], time_s)
    tracks.missed_s[missed] = np.fmin(tracks.missed_s[missed], time_s)
    unseen = tracks.faded | ~(time_s - tracks.keypoints_s <= coast_s)
    unseen |= (time_s - tracks.missed_s > UNCONFIRMED_S) | (tracks.state == State.HIDDEN)
    gone = missed & (tracks.state == State.TENTATIVE)
    tracks.state[missed & unseen] = State.LOST
    tracks = tracks.select(~gone)
    if free.any():
        tracks = tracks.joined(born(tracks, boxes_xyxy[free], scores[free], time_s, first))
    return tracks


def _match(tracks: Tracks, boxes_xyxy: Boxes, scores: Floats) -> Rows:
    """Row of the track of each detection (N,), -1 for nobody's."""
    owner = np.full(len(scores), -1, dtype=np.int64)
    single = np.ones(len(tracks), dtype=bool)
    strong = scores >= STRONG_SCORE
    overlap = loose = boxes.iou(tracks.boxes_xyxy, boxes_xyxy)
    seen, lost = tracks.where(State.ACTIVE, State.HIDDEN), tracks.where(State.LOST)
    if len(lost):
        loose = boxes.iou(_grown(tracks.boxes_xyxy), _grown(boxes_xyxy))
    for rows, wanted, likeness, least in (
        (seen, strong, overlap, MATCH_IOU),
        (seen, ~strong, overlap, WEAK_MATCH_IOU),
        (lost, strong, loose, LOST_MATCH_IOU),
        (lost, ~strong, overlap, WEAK_MATCH_IOU),
        (tracks.where(State.TENTATIVE), scores >= 0, overlap, MATCH_IOU),
    ):
        alone, free = rows[single[rows]], np.flatnonzero(wanted & (owner < 0))
        if len(alone) and len(free):
            met, found = assign(likeness[np.ix_(alone, free)], least)
            owner[free[found]] = alone[met]
            single[alone[met]] = False
    return owner


def _grown(boxes_xyxy: Boxes) -> Boxes:
    """Boxes grown on each side by ``LOST_BUFFER`` of their size.

    Somebody who was out of sight is not where a straight path leads; grown boxes still meet.
    After C-BIoU (Yang et al., WACV 2023, https://arxiv.org/abs/2211.14317).
    """
    xywh = boxes.to_xywh(boxes_xyxy)
    xywh[:, 2:] *= 1 + 2 * LOST_BUFFER
    return boxes.to_xyxy(xywh)


def _absorb(tracks: Tracks, rows: Rows, boxes_xyxy: Boxes, scores: Floats, time_s: float) -> None:
    """Corrects the tracks in ``rows`` by their detections (N, 4)."""
    back = tracks.state[rows] == State.LOST
    tracks.keypoints_s[rows[back]] = np.nan
    tracks.keypoints_xy[rows[back]] = np.nan
    tracks.faded[rows[back]] = False
    correct_rows(tracks.table, rows, boxes_xyxy)
    tracks.scores[rows] = scores
    tracks.hits[rows] += 1
    tracks.seen_s[rows] = tracks.detected_s[rows] = time_s
    tracks.missed_s[rows] = np.nan
    believed = (scores >= SURE_SCORE) | (tracks.hits[rows] >= BIRTH_HITS)
    believed &= tracks.state[rows] == State.TENTATIVE
    tracks.state[rows[back | believed]] = State.ACTIVE
    _prove(tracks, rows[scores >= SURE_SCORE], time_s)
    _part(tracks, time_s)


def _prove(tracks: Tracks, rows: Rows, time_s: float) -> None:
    """The detector is sure of these; it is not for a moment only, as keypoints may be."""
    tracks.proven_s[rows] = tracks.strong_s[rows] = time_s
    tracks.sure_since_s[rows] = np.fmin(tracks.sure_since_s[rows], time_s - PROOF_S)
    tracks.doubts[rows] = 0


def _part(tracks: Tracks, time_s: float) -> None:
    """Hidden people whose box and another's are no longer one inside the other are shown again.

    Also those whom the detector finds while it misses the other: perhaps that is where both are.
    """
    hidden, shown = tracks.where(State.HIDDEN), tracks.where(State.ACTIVE)
    if not len(hidden):
        return
    shown = shown[np.isnan(tracks.missed_s[shown])]
    places = tracks.boxes_xyxy
    covered = nested(places[hidden], places[shown]) > CONTAINED
    tracks.state[hidden[~covered.any(axis=1)]] = State.ACTIVE
    # Found in two boxes: what proves the one proves the other.
    proven = tracks.proven_s[hidden] == time_s
    _prove(tracks, shown[covered[proven].any(axis=0)], time_s)


def born(
    tracks: Tracks, boxes_xyxy: Boxes, scores: Floats, time_s: float, everybody: bool
) -> Tracks:
    """Tracks of unmatched detections; those that are sure, or ``everybody``, are believed at once.

    What nearly coincides with somebody who is there is left out.
    """
    shown = tracks.boxes_xyxy[tracks.where(State.ACTIVE, State.HIDDEN)]
    covered = (boxes.inside(boxes_xyxy, shown) > CONTAINED).any(axis=1)
    doubled = (boxes.iou(boxes_xyxy, shown) > CONTAINED).any(axis=1)
    taken = (scores >= BIRTH_SCORE) & ~doubled
    sure = ((scores >= SURE_SCORE) & ~covered) | everybody
    new = Tracks.born(boxes_xyxy[taken], scores[taken], time_s, tracks.joints.shape[1])
    new.state[sure[taken]] = State.ACTIVE
    _prove(new, np.flatnonzero(new.scores >= SURE_SCORE), time_s)
    return new


def nested(first_xyxy: Boxes, second_xyxy: Boxes) -> Floats:
    """Part of the smaller box that lies in the larger one, (P, Q)."""
    return np.maximum(
        boxes.inside(first_xyxy, second_xyxy), boxes.inside(second_xyxy, first_xyxy).T
    )
