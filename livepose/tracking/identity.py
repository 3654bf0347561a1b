"""Corrects by pose what boxes got wrong: id switches, newcomers that are none, duplicates."""

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.tracking.assignment import assign
from livepose.tracking.motion import to_xyxy
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.similarity import coinciding, nested, oks
from livepose.tracking.tracks import Floats, Mask, State, Tracks

Rows = NDArray[np.int64]

FRESH_S = 0.2
"""Keypoints older than this say little about the pose now."""
PROOF = ("best", "proven_s", "strong_s", "sure_since_s", "doubts")
PERSONAL = ("ids", "born_s", "own_s", "margins", "level", "chosen", "reach", "histograms", *PROOF)
"""What goes with the person when identities are exchanged; the rest belongs to the place."""


def correct_switches(
    tracks: Tracks,
    rows: Rows,
    now_xy: Floats,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
) -> None:
    """Exchanges identities where poses (N, K, 2), seen on tracks ``rows``, continue another's.

    Where people meet, boxes overlap and prediction may be wrong (they turn back), but from one
    picture to the next poses hardly change. Identities only move for a clear gain.
    """
    known = time_s - tracks.keypoints_s[rows] <= FRESH_S
    rows, now_xy = rows[known], now_xy[known]
    near = _near(tracks, rows, chosen.crossing_iou)
    if not near.any():
        return
    areas_px2 = tracks.xywh[rows, 2] * tracks.xywh[rows, 3]
    near |= np.eye(len(rows), dtype=bool)
    likeness = oks(moved(tracks, rows, time_s), now_xy, areas_px2, sigmas, near)
    likeness += chosen.identity_oks * np.eye(len(rows))
    if (likeness.argmax(axis=1) == np.arange(len(rows))).all():
        return  # everybody looks most like themselves: no other assignment is better
    was, now = assign(likeness, 0.0)
    changed = was != now
    moving = np.intersect1d(was[changed], now[changed])
    if not changed.any() or len(moving) != changed.sum():
        return
    _hand_over(tracks, rows[was[changed]], rows[now[changed]])


def recognise(
    tracks: Tracks,
    rows: Rows,
    now_xy: Floats,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
) -> None:
    """Newcomers in the pose and place of somebody lost become that person."""
    new = tracks.born_s[rows] == time_s
    lost = tracks.where(State.LOST)
    if not len(lost) or not new.any():
        return
    rows, now_xy = rows[new], now_xy[new]
    areas_px2 = tracks.xywh[rows, 2] * tracks.xywh[rows, 3]
    likeness = oks(moved(tracks, lost, time_s), now_xy, areas_px2, sigmas)
    old, came = assign(likeness, chosen.recognise_oks)
    _hand_over(tracks, lost[old], rows[came])
    tracks.ids[lost[old]], tracks.seen_s[lost[old]] = 0, -np.inf  # dies with the next picture


def duplicates(
    tracks: Tracks,
    rows: Rows,
    now_xy: Floats,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
) -> Mask:
    """Which of the tracks in ``rows`` show a pose that is somebody else's.

    Of two alike, the one that the detector agrees with stays, then the one whose pose was most
    like it before, then the elder. If that one never had a pose of its own and the other had, they
    are one person, who keeps the id.
    """
    double = np.zeros(len(rows), dtype=bool)
    near = _near(tracks, rows, 0.0)
    if not near.any():
        return double
    areas_px2 = tracks.xywh[rows, 2] * tracks.xywh[rows, 3]
    alike = oks(now_xy, now_xy, areas_px2, sigmas, near) >= chosen.same_pose_oks
    places = to_xyxy(tracks.xywh[rows])
    within = near & (nested(places, places) > chosen.same_place)
    if within.any():
        alike |= within & (coinciding(now_xy, areas_px2) >= chosen.same_joints)
    if not alike.any():
        return double
    unconfirmed = ~np.isnan(tracks.missed_s[rows])
    before_xy = moved(tracks, rows, time_s)
    continued = oks(before_xy, now_xy, areas_px2, sigmas, np.eye(len(rows), dtype=bool)).diagonal()
    surely = np.round(-continued, 1)
    order = np.lexsort((tracks.ids[rows], tracks.born_s[rows], surely, unconfirmed))
    rank = np.argsort(order)
    own = time_s - tracks.own_s[rows] > chosen.established_s
    for one in order[alike[order].any(axis=1)]:
        better = np.flatnonzero(alike[one] & (rank < rank[one]) & ~double)
        double[one] = len(better) > 0
        if not len(better):
            continue
        best = better[rank[better].argmin()]
        if own[one] and not own[best]:
            _hand_over(tracks, rows[[one, best]], rows[[best, one]])
            own[[one, best]] = own[[best, one]]
        elif not tracks.proven_s[rows[best]] >= tracks.proven_s[rows[one]]:
            _hand_over(tracks, rows[[one]], rows[[best]], PROOF)
    return double


def _near(tracks: Tracks, rows: Rows, least_iou: float) -> Mask:
    """Which of these tracks have boxes that overlap by more than that, (N, N)."""
    places = to_xyxy(tracks.xywh[rows])
    overlap = boxes.iou(places, places)
    overlap.flat[:: len(rows) + 1] = 0.0
    return np.asarray(overlap > least_iou)


def moved(tracks: Tracks, rows: Rows, time_s: float) -> Floats:
    """Keypoints of these tracks, carried on with the speed of their boxes."""
    age_s = (time_s - tracks.keypoints_s[rows])[:, None]
    return np.asarray(tracks.keypoints_xy[rows] + (tracks.velocity[rows, :2] * age_s)[:, None, :])


def _hand_over(
    tracks: Tracks, givers: Rows, takers: Rows, names: tuple[str, ...] = PERSONAL
) -> None:
    for name in names:
        values = getattr(tracks, name)
        values[takers] = values[givers].copy()
