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
    """Poses (N) as they are believed, which of them (N,) are another's seen twice, and how many
    pairs were exchanged back and keypoints not believed.
    """

    poses: Poses
    hidden: Mask
    swaps: int
    jumps: int


def take_in(
    tracks: Tracks,
    rows: Rows,
    poses: Poses,
    time_s: float,
    sigmas: Floats,
    chosen: TrackerSettings,
) -> Taken:
    """Stores poses (N) seen on the tracks ``rows``, mended."""
    double = hidden = np.zeros(len(rows), dtype=np.bool_)
    if _kernels.anything_to_mend(tracks.table, rows, time_s):
        now_xy = _counted(poses, chosen)
        identity.exchange(tracks, rows, now_xy, time_s, sigmas, chosen)
        identity.recognise(tracks, rows, now_xy, time_s, sigmas, chosen)
        double = identity.doubles(tracks, rows, now_xy, time_s, sigmas, chosen)
        poses = _named(poses, tracks.ids[rows])
    swaps = jumps = 0
    if chosen.mend_joints:
        poses, swaps, jumps = joints.mend(tracks, rows, poses, double, time_s, chosen)
    if double.any():
        veiled = double & _established(tracks, rows, time_s, chosen)
        poses, hidden = joints.without(poses, veiled[:, None]), double & ~veiled
    _store(tracks, rows, poses, time_s, chosen)
    if hidden.any():
        _hide(tracks, rows[hidden])
    return Taken(poses, hidden, swaps, jumps)


def _named(poses: Poses, track_ids: Rows) -> Poses:
    """The poses with these ids (N,)."""
    same = np.array_equal(poses.track_ids, track_ids)
    return poses if same else replace(poses, track_ids=track_ids)


def _counted(poses: Poses, chosen: TrackerSettings) -> Floats:
    """Keypoints (N, K, 2), NaN where their score does not count."""
    counts = poses.keypoint_scores >= chosen.keypoint_score
    return np.where(counts[..., None], poses.keypoints_xy, np.nan)


def _store(
    tracks: Tracks, rows: Rows, poses: Poses, time_s: float, chosen: TrackerSettings
) -> None:
    """Takes the poses in, and moves the boxes of those whom the detector has not just seen.

    Nor of those whom it missed where somebody else is: their keypoints are likely the other's.
    """
    keypoints_xy = np.ascontiguousarray(poses.keypoints_xy)
    scores = np.ascontiguousarray(poses.keypoint_scores)
    _kernels.store(tracks.table, rows, keypoints_xy, scores, time_s, chosen.numbers)


def _established(tracks: Tracks, rows: Rows, time_s: float, chosen: TrackerSettings) -> Mask:
    """Who has been somebody for a while, and is still found by the detector.

    The pose in such a box is that of whoever stands before: the person stays, without keypoints.
    """
    known = time_s - tracks.born_s[rows] > chosen.established_s
    return np.asarray(known & np.isnan(tracks.missed_s[rows]))


def _hide(tracks: Tracks, rows: Rows) -> None:
    """Takes doubles out of sight: lost if the detector had missed them, else hidden."""
    missed = ~np.isnan(tracks.missed_s[rows])
    tracks.state[rows] = np.where(missed, State.LOST, State.HIDDEN)
