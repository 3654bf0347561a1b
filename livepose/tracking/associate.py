"""Which detection is whom: births, meetings, losses.

Two stages as in ByteTrack (Zhang et al., ECCV 2022, https://arxiv.org/abs/2110.06864): strong
detections choose first, then weak ones may keep alive who is already there. Those out of sight
come after those in sight, with a looser gate for strong detections; what is left is born.
"""

import lap
import numpy as np

from livepose import boxes
from livepose.boxes import Boxes
from livepose.tracking import _box_kernels
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Floats, Mask, Rows, State, Tracks


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


def buffered_iou(first_xyxy: Boxes, second_xyxy: Boxes, buffer: float) -> Floats:
    """IoU (P, Q) of boxes grown on each side by ``buffer`` of their size.

    Somebody who was out of sight is not where a straight path leads; grown boxes still meet.
    After C-BIoU (Yang et al., WACV 2023, https://arxiv.org/abs/2211.14317).
    """
    grown = []
    for boxes_xyxy in (first_xyxy, second_xyxy):
        xywh = boxes.to_xywh(boxes_xyxy)
        xywh[:, 2:] *= 1 + 2 * buffer
        grown.append(boxes.to_xyxy(xywh))
    return boxes.iou(*grown)


def nested(first_xyxy: Boxes, second_xyxy: Boxes) -> Floats:
    """Part of the smaller box that lies in the larger one, (P, Q)."""
    return np.maximum(
        boxes.inside(first_xyxy, second_xyxy), boxes.inside(second_xyxy, first_xyxy).T
    )


def usable(boxes_xyxy: Boxes, scores: Floats) -> Mask:
    """Detections (N,) that are boxes at all: finite, not empty, with a score."""
    wh = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    return np.asarray(
        np.isfinite(boxes_xyxy).all(axis=1) & np.isfinite(scores) & (wh > 0).all(axis=1)
    )


def match(tracks: Tracks, boxes_xyxy: Boxes, scores: Floats, chosen: TrackerSettings) -> Rows:
    """Row of the track of each detection (N,), -1 for nobody's."""
    owner = np.full(len(scores), -1, dtype=np.int64)
    strong = scores >= chosen.strong_score
    predicted_xyxy = tracks.boxes_xyxy
    overlap = boxes.iou(predicted_xyxy, boxes_xyxy)
    seen, lost = tracks.where(State.ACTIVE, State.HIDDEN), tracks.where(State.LOST)
    loose = overlap  # only the lost are met more loosely
    if len(lost):
        loose = buffered_iou(predicted_xyxy, boxes_xyxy, chosen.lost_buffer)
    rounds = (
        (seen, strong, overlap, chosen.match_iou),
        (seen, ~strong, overlap, chosen.weak_match_iou),
        (lost, strong, loose, chosen.lost_match_iou),
        (lost, ~strong, overlap, chosen.weak_match_iou),
        (tracks.where(State.TENTATIVE), scores >= 0, overlap, chosen.match_iou),
    )
    single = np.ones(len(tracks), dtype=bool)
    for rows, wanted, likeness, least in rounds:
        alone, free = rows[single[rows]], np.flatnonzero(wanted & (owner < 0))
        if len(alone) and len(free):
            met, found = assign(likeness[np.ix_(alone, free)], least)
            owner[free[found]] = alone[met]
            single[alone[met]] = False
    return owner


def absorb(
    tracks: Tracks,
    rows: Rows,
    boxes_xyxy: Boxes,
    scores: Floats,
    time_s: float,
    chosen: TrackerSettings,
) -> None:
    """Corrects the tracks in ``rows`` by their detections (N, 4)."""
    back = tracks.state[rows] == State.LOST
    tracks.keypoints_s[rows[back]] = np.nan
    tracks.keypoints_xy[rows[back]] = np.nan
    _box_kernels.correct_rows(tracks.table, rows, boxes_xyxy, chosen.box_noise)
    tracks.scores[rows] = scores
    tracks.hits[rows] += 1
    tracks.seen_s[rows] = tracks.detected_s[rows] = time_s
    tracks.missed_s[rows] = np.nan
    tracks.faded[rows] &= ~back
    tracks.state[rows[back]] = State.ACTIVE
    believed = (scores >= chosen.sure_score) | (tracks.hits[rows] >= chosen.birth_hits)
    tracks.state[rows[believed & (tracks.state[rows] == State.TENTATIVE)]] = State.ACTIVE
    prove(tracks, rows[scores >= chosen.sure_score], time_s, chosen)
    _part(tracks, time_s, chosen)


def prove(tracks: Tracks, rows: Rows, time_s: float, chosen: TrackerSettings) -> None:
    """The detector is sure of these; it is not for a moment only, as keypoints may be."""
    tracks.proven_s[rows] = tracks.strong_s[rows] = time_s
    tracks.sure_since_s[rows] = np.fmin(tracks.sure_since_s[rows], time_s - chosen.proof_s)
    tracks.doubts[rows] = 0


def _part(tracks: Tracks, time_s: float, chosen: TrackerSettings) -> None:
    """Hidden people whose box and another's are no longer one inside the other are shown again.

    Also those whom the detector finds while it misses the other: perhaps that is where both are.
    """
    hidden, shown = tracks.where(State.HIDDEN), tracks.where(State.ACTIVE)
    if not len(hidden):
        return
    shown = shown[np.isnan(tracks.missed_s[shown])]
    places = tracks.boxes_xyxy
    covered = nested(places[hidden], places[shown]) > chosen.contained
    tracks.state[hidden[~covered.any(axis=1)]] = State.ACTIVE
    # Found in two boxes: what proves the one proves the other.
    proven = tracks.proven_s[hidden] == time_s
    prove(tracks, shown[covered[proven].any(axis=0)], time_s, chosen)


def lose(
    tracks: Tracks, missed: Rows, time_s: float, coast_s: float, chosen: TrackerSettings
) -> Tracks:
    """The tracks after the detector looked and did not find those in ``missed``.

    Who was only tentative is gone. Who has no good keypoints either is lost; good keypoints carry
    the others for ``unconfirmed_s``.
    """
    fresh = missed[np.isnan(tracks.missed_s[missed])]
    tracks.missed_s[fresh] = time_s
    unseen = tracks.faded[missed] | ~(time_s - tracks.keypoints_s[missed] <= coast_s)
    tired = time_s - tracks.missed_s[missed] > chosen.unconfirmed_s
    hidden = tracks.state[missed] == State.HIDDEN
    gone = missed[(unseen | tired | hidden) & (tracks.state[missed] != State.TENTATIVE)]
    tracks.state[gone] = State.LOST
    keep = np.ones(len(tracks), dtype=bool)
    keep[missed[tracks.state[missed] == State.TENTATIVE]] = False
    return tracks.select(keep)


def newborn(
    tracks: Tracks, boxes_xyxy: Boxes, scores: Floats, first: bool, chosen: TrackerSettings
) -> tuple[Rows, Mask]:
    """Which unmatched detections are taken up, and which of those are believed at once."""
    shown = tracks.boxes_xyxy[tracks.where(State.ACTIVE, State.HIDDEN)]
    covered = (boxes.inside(boxes_xyxy, shown) > chosen.contained).any(axis=1)
    doubled = (boxes.iou(boxes_xyxy, shown) > chosen.contained).any(axis=1)
    taken = np.flatnonzero((scores >= chosen.birth_score) & ~doubled)
    sure = (scores >= chosen.sure_score) & ~covered
    return taken, (sure | first)[taken]
