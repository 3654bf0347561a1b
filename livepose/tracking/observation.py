"""What the keypoints of a picture mean for the tracks they were found on."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.poses import Poses
from livepose.tracking import identity, joints
from livepose.tracking.following import follow, learn_margins
from livepose.tracking.motion import correct, start
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Floats, Mask, State, Tracks

Rows = NDArray[np.int64]

STRAY = 0.75
"""Keypoints centred farther from the box's centre, in box sizes, are not this person's."""
LEVEL_RATE = 0.5
"""How quickly the usual mean score of a person's keypoints is learned at detections."""
STALE_S = 0.5
"""Keypoints from longer ago say nothing about how a box moved since."""


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
    now_xy = _counted(poses, chosen)
    identity.exchange(tracks, rows, now_xy, time_s, sigmas, chosen)
    identity.recognise(tracks, rows, now_xy, time_s, sigmas, chosen)
    double = identity.doubles(tracks, rows, now_xy, time_s, sigmas, chosen)
    veiled = double & _established(tracks, rows, time_s, chosen)
    swaps = jumps = 0
    if chosen.mend_joints:
        own, least = ~double, chosen.keypoint_score
        poses, swaps, jumps = joints.mend(tracks, rows[own], poses, own, time_s, least)
    if veiled.any():
        poses = joints.without(poses, veiled[:, None])
    _store(tracks, rows, poses, time_s, chosen)
    hidden = double & ~veiled
    if hidden.any():
        _hide(tracks, rows[hidden])
    return Taken(replace(poses, track_ids=tracks.ids[rows]), hidden, swaps, jumps)


def _counted(poses: Poses, chosen: TrackerSettings) -> Floats:
    """Keypoints (N, K, 2), NaN where their score does not count."""
    counts = poses.keypoint_scores >= chosen.keypoint_score
    return np.where(counts[..., None], poses.keypoints_xy, np.nan)


def _store(
    tracks: Tracks, rows: Rows, poses: Poses, time_s: float, chosen: TrackerSettings
) -> None:
    now_xy = _counted(poses, chosen)
    scores = np.where(np.isfinite(poses.keypoint_scores), poses.keypoint_scores, 0.0)
    good = _judge(tracks, rows, now_xy, scores.mean(axis=1), time_s, chosen)
    _learn(tracks, rows[good], now_xy[good], time_s)
    _move(tracks, rows[good], now_xy[good], time_s, chosen)
    tracks.seen_s[rows[good]] = time_s
    tracks.keypoints_xy[rows], tracks.keypoints_s[rows] = now_xy, time_s
    tracks.looked_xyxy[rows] = tracks.boxes_xyxy[rows]


def _established(tracks: Tracks, rows: Rows, time_s: float, chosen: TrackerSettings) -> Mask:
    """Who has been somebody for a while, and is still found by the detector.

    The pose in such a box is that of whoever stands before: the person stays, without keypoints.
    """
    known = time_s - tracks.born_s[rows] > chosen.established_s
    return np.asarray(known & np.isnan(tracks.missed_s[rows]))


def _judge(
    tracks: Tracks,
    rows: Rows,
    now_xy: Floats,
    level: Floats,
    time_s: float,
    chosen: TrackerSettings,
) -> Mask:
    """Which poses are good enough to follow; notes who has faded."""
    usual, detected = tracks.level[rows], tracks.detected_s[rows] == time_s
    learned = np.where(np.isnan(usual), level, usual + LEVEL_RATE * (level - usual))
    tracks.level[rows] = np.where(detected, learned, usual)
    least = np.fmax(chosen.least_level, chosen.fade_ratio * tracks.level[rows])
    enough = np.isfinite(now_xy[..., 0]).sum(axis=1) >= chosen.least_keypoints
    around = boxes.around(now_xy)
    away = np.abs((around[:, :2] + around[:, 2:]) / 2 - tracks.xywh[rows, :2])
    near = (away <= STRAY * tracks.xywh[rows, 2:]).all(axis=1)
    good = np.asarray((level >= least) & enough & near)
    tracks.faded[rows] = ~good
    return good


def _learn(tracks: Tracks, rows: Rows, now_xy: Floats, time_s: float) -> None:
    """Margins of those whose box the detector has just given."""
    given = (tracks.detected_s[rows] == time_s) & ~tracks.seeded[rows]
    if not given.any():
        return
    rows, now_xy = rows[given], now_xy[given]
    tracks.margins[rows] = learn_margins(tracks.margins[rows], now_xy, tracks.boxes_xyxy[rows])


def _move(
    tracks: Tracks, rows: Rows, now_xy: Floats, time_s: float, chosen: TrackerSettings
) -> None:
    """Moves the boxes of those whom the detector has not just seen.

    Nor of those whom it missed where somebody else is: their keypoints are likely the other's.
    """
    seeded = tracks.seeded[rows]
    rested = (tracks.detected_s[rows] != time_s) & ~_behind_another(tracks, rows, chosen)
    rows, now_xy = rows[rested | seeded], now_xy[rested | seeded]
    if not len(rows):
        return
    seeded = tracks.seeded[rows]
    age_s = time_s - tracks.keypoints_s[rows]
    age_s = np.where((age_s <= STALE_S) & ~seeded, age_s, np.inf)
    followed = follow(
        tracks.looked_xyxy[rows], tracks.keypoints_xy[rows], now_xy, tracks.margins[rows], age_s
    )
    moved = correct(tracks.motion_of(rows), followed, chosen.box_noise)
    tracks.set_motion(rows, moved)
    if seeded.any():
        fresh = rows[seeded]
        tracks.set_motion(fresh, start(followed[seeded], chosen.box_noise))
        tracks.seeded[fresh] = False


def _behind_another(tracks: Tracks, rows: Rows, chosen: TrackerSettings) -> Mask:
    missed = ~np.isnan(tracks.missed_s[rows])
    if not missed.any():
        return missed
    places = tracks.boxes_xyxy
    overlap = boxes.iou(places[rows], places)
    overlap[np.arange(len(rows)), rows] = 0.0
    overlap[:, tracks.state != State.ACTIVE] = 0.0
    return np.asarray(missed & (overlap > chosen.crossing_iou).any(axis=1))


def _hide(tracks: Tracks, rows: Rows) -> None:
    """Takes doubles out of sight: lost if the detector had missed them, else hidden."""
    missed = ~np.isnan(tracks.missed_s[rows])
    tracks.state[rows] = np.where(missed, State.LOST, State.HIDDEN)
