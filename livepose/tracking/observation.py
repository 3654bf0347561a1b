"""What the keypoints of a picture mean for the tracks they were found on."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.poses import Poses
from livepose.tracking import _kernels, identity, joints
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Floats, Mask, State, Tracks

Rows = NDArray[np.int64]


class Taken(NamedTuple):
    """Poses (N) as they are believed, which of them (N,) are another's seen twice or perhaps
    nobody's (None: none is), and how many pairs were exchanged back and keypoints not believed.
    """

    poses: Poses
    hidden: Mask | None
    swaps: int
    jumps: int


def take_in(
    tracks: Tracks,
    rows: Rows,
    poses: Poses,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
    mixed_up: bool,
) -> Taken:
    """Stores poses (N) seen on the tracks ``rows``, mended; identities only if ``mixed_up``."""
    people, joint_count = poses.keypoint_scores.shape
    double, hidden = np.zeros(people, dtype=np.bool_), None
    if mixed_up:
        poses, double = _identified(tracks, rows, poses, time_s, sigmas, chosen)
        veiled = double & _established(tracks, rows, time_s, chosen)
        hidden = double & ~veiled
        poses = joints.without(poses, veiled[:, None]) if veiled.any() else poses
    limbs = joints.structure_of(poses.skeleton)
    exchanged = np.empty((people, len(limbs[0])), dtype=np.bool_)
    refused = np.empty((people, joint_count), dtype=np.bool_)
    doubtful = np.empty(people, dtype=np.bool_)
    swaps, jumps, doubts = _kernels.take_in(
        *(tracks.table, tracks.joints, rows, double),
        *(_plain(poses.keypoints_xy), _plain(poses.keypoint_scores), limbs),
        *(time_s, chosen.numbers, (exchanged, refused, doubtful)),
    )
    if swaps:
        poses = joints.swap_back(poses, exchanged, limbs[0])
    if jumps:
        poses = joints.without(poses, refused)
    if hidden is not None and hidden.any():
        _hide(tracks, rows[hidden])
    if doubts:
        hidden = doubtful if hidden is None else hidden | doubtful
    return Taken(poses, hidden, swaps, jumps)


def _identified(
    tracks: Tracks,
    rows: Rows,
    poses: Poses,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
) -> tuple[Poses, Mask]:
    """The poses (N) with identities mended, and which of them (N,) are somebody else's."""
    counts = poses.keypoint_scores >= chosen.keypoint_score
    now_xy = np.where(counts[..., None], poses.keypoints_xy, np.nan)
    identity.correct_switches(tracks, rows, now_xy, time_s, sigmas, chosen)
    identity.recognise(tracks, rows, now_xy, time_s, sigmas, chosen)
    double = _duplicates(tracks, rows, now_xy, time_s, sigmas, chosen)
    track_ids = tracks.ids[rows]
    if not np.array_equal(poses.track_ids, track_ids):
        poses = replace(poses, track_ids=track_ids)
    return poses, double


def _duplicates(
    tracks: Tracks,
    rows: Rows,
    now_xy: Floats,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
) -> Mask:
    """Who shows the pose of another (N,), also of one whose turn was before: that one is hidden."""
    waits = (tracks.state == int(State.ACTIVE)) & tracks.chosen
    waits &= time_s - tracks.keypoints_s <= chosen.lost_s
    waits[rows] = False
    waiting = np.flatnonzero(waits)
    if not len(waiting):
        return identity.duplicates(tracks, rows, now_xy, time_s, sigmas, chosen)
    all_xy = np.concatenate([now_xy, identity.moved(tracks, waiting, time_s)])
    everybody = np.concatenate([rows, waiting])
    double = identity.duplicates(tracks, everybody, all_xy, time_s, sigmas, chosen)
    _hide(tracks, waiting[double[len(rows) :]])
    return double[: len(rows)]


def _plain(values: Floats) -> Floats:
    """As the kernels are compiled for: in one piece of memory."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _established(tracks: Tracks, rows: Rows, time_s: float, chosen: TrackerSettings) -> Mask:
    """Who has had a pose of their own for a while, and is still found by the detector.

    The pose in such a box is that of whoever stands before: the person stays, without keypoints.
    Somebody who never had one is likely the same person in another box.
    """
    known = time_s - tracks.own_s[rows] > chosen.established_s
    return np.asarray(known & np.isnan(tracks.missed_s[rows]))


def _hide(tracks: Tracks, rows: Rows) -> None:
    """Takes duplicates out of sight: lost if the detector had missed them, else hidden."""
    missed = ~np.isnan(tracks.missed_s[rows])
    tracks.state[rows] = np.where(missed, State.LOST, State.HIDDEN)
