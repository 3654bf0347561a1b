"""Everybody who is followed, in one table: row t is track t, and each column is an array."""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.tracking._pose_kernels import (
    JOINT_COLUMNS,
    KEYPOINT,
    PLACE,
    REACH,
    SWAPPED,
    VELOCITY,
    WHEN,
)
from livepose.tracking.motion import Motion, start, to_xyxy

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Table = NDArray[np.void]


class State(IntEnum):
    """What is known of a track."""

    TENTATIVE = 0
    """Weakly detected, not yet believed; has no id."""
    ACTIVE = 1
    """Handed out."""
    HIDDEN = 2
    """Detected, but its pose was another's: not handed out until the boxes part, or the detector
    finds this one alone."""
    LOST = 3
    """Out of sight; may come back."""


HISTOGRAM_LENGTH = 432
"""Two histograms of 6 x 6 x 6 colours."""
ROW = np.dtype(
    [
        *((name, np.int64) for name in ("ids", "state", "hits", "doubts")),
        *((name, np.float64) for name in ("scores", "born_s", "seen_s", "detected_s", "missed_s")),
        *((name, np.float64) for name in ("keypoints_s", "own_s", "level")),
        *((name, np.float64, 4) for name in ("xywh", "velocity", "looked_xyxy", "margins")),
        ("variance", np.float64, (4, 3)),
        *((name, np.float64) for name in ("best", "proven_s", "strong_s", "sure_since_s")),
        *((name, np.float64) for name in ("anchor_s", "moved_s")),
        ("anchor_xy", np.float64, 2),
        *((name, np.bool_) for name in ("faded", "chosen", "seeded")),
    ],
    align=True,
)
"""A track; see ``Tracks`` for its columns."""
NEVER = (
    *("missed_s", "keypoints_s", "own_s", "level", "best", "proven_s", "strong_s"),
    *("sure_since_s", "anchor_s", "moved_s"),
)
"""Columns that are NaN at first."""


class Tracks:
    """T tracks with K keypoints; times are seconds, NaN for never.

    ``table`` (T,) holds what there is of each, ``joints`` (T, K, ``JOINT_COLUMNS``) what there is
    of each keypoint, so that a kernel takes two arguments; ``histograms`` are apart, being
    large and seldom read. All else are views of the two, to be written into and never to be
    replaced.
    """

    ids: NDArray[np.int64]
    state: NDArray[np.int64]
    hits: NDArray[np.int64]
    scores: Floats
    born_s: Floats
    seen_s: Floats
    """Last detected or seen by good keypoints."""
    detected_s: Floats
    missed_s: Floats
    """When the detector first missed it, NaN while it agrees."""
    xywh: Floats
    velocity: Floats
    variance: Floats
    keypoints_xy: Floats
    """(T, K, 2), NaN below the score that counts."""
    keypoints_s: Floats
    own_s: Floats
    """Since when it has a pose of its own, NaN while that is somebody else's; whoever has had one
    for long enough keeps it (``established_s``)."""
    joint_xy: Floats
    """(T, K, 2): where each keypoint was last believed to be, NaN for never; see ``joints``."""
    joint_velocity: Floats
    """(T, K, 2), px/s."""
    joint_s: Floats
    """(T, K): when that was."""
    swapped_s: Floats
    """(T, K): since when the left one of a pair is exchanged back, NaN while it is not."""
    reach: Floats
    """(T, K): greatest length of the limb to the keypoint before, in body scales."""
    histograms: Floats
    """(T, ``HISTOGRAM_LENGTH``): the colours that somebody wears, NaN before they are known."""
    looked_xyxy: Floats
    """(T, 4): the box as it was believed to be when the keypoints were seen."""
    margins: Floats
    """(T, 4): from keypoints to box edge, outwards, in parts of the keypoints' longer extent."""
    level: Floats
    """Mean score of the keypoints at the last detection, NaN before."""
    faded: Mask
    chosen: Mask
    """Among the ``max_people`` at the last frame."""
    seeded: Mask
    """The box is the whole picture, not a person's."""
    best: Floats
    """Mean score of the best keypoints of late, NaN before."""
    proven_s: Floats
    """When detector or keypoints were last sure that this is somebody, NaN for never; see
    ``_kernels.prove``."""
    strong_s: Floats
    """When they were last sure whether it moves or not."""
    doubts: NDArray[np.int64]
    """Pictures since then in which neither was."""
    sure_since_s: Floats
    """Since when they have been, again and again."""
    anchor_xy: Floats
    """(T, 2): where the box's centre was at ``anchor_s``, a second ago at most."""
    anchor_s: Floats
    moved_s: Floats
    """When it was last clearly elsewhere than at its anchor, NaN for never."""

    def __init__(self, table: Table, joints: Floats, histograms: Floats) -> None:
        self.table, self.joints, self.histograms = table, joints, histograms
        for name in ROW.names or ():
            setattr(self, name, table[name])
        self.keypoints_xy, self.joint_xy = joints[..., KEYPOINT], joints[..., PLACE]
        self.joint_velocity, self.joint_s = joints[..., VELOCITY], joints[..., WHEN]
        self.swapped_s, self.reach = joints[..., SWAPPED], joints[..., REACH]

    @classmethod
    def none(cls, keypoints: int) -> "Tracks":
        """Nobody, with K keypoints."""
        return cls.born(np.empty((0, 4)), np.empty(0), 0.0, 0.0, np.zeros(4), keypoints)

    @classmethod
    def born(
        cls,
        boxes_xyxy: Boxes,
        scores: Floats,
        time_s: float,
        noise: float,
        margins: Floats,
        keypoints: int,
    ) -> "Tracks":
        """Tracks of detections (N, 4), tentative and without ids."""
        unknown = np.full((len(boxes_xyxy), keypoints, JOINT_COLUMNS), np.nan)
        histograms = np.full((len(boxes_xyxy), HISTOGRAM_LENGTH), np.nan)
        tracks = cls(np.zeros(len(boxes_xyxy), dtype=ROW), unknown, histograms)
        tracks.set_motion(slice(None), start(boxes_xyxy, noise))
        tracks.state[:], tracks.hits[:], tracks.scores[:] = State.TENTATIVE, 1, scores
        tracks.born_s[:] = tracks.seen_s[:] = tracks.detected_s[:] = time_s
        tracks.looked_xyxy[:], tracks.margins[:] = boxes_xyxy, margins
        for name in NEVER:
            getattr(tracks, name)[:] = np.nan
        tracks.joint_velocity[:] = 0.0
        return tracks

    def __len__(self) -> int:
        return len(self.ids)

    def with_keypoints(self, keypoints: int) -> "Tracks":
        """These tracks, with nothing known of their K keypoints."""
        fresh = Tracks.born(self.boxes_xyxy, self.scores, 0.0, 0.0, np.zeros(4), keypoints)
        return Tracks(self.table, fresh.joints, self.histograms)

    def copy(self) -> "Tracks":
        """The same again, to be changed freely."""
        return Tracks(self.table.copy(), self.joints.copy(), self.histograms.copy())

    @property
    def motion(self) -> Motion:
        """Boxes and their speeds."""
        return Motion(self.xywh, self.velocity, self.variance)

    @property
    def boxes_xyxy(self) -> Boxes:
        """Boxes as they are believed to be."""
        return to_xyxy(self.xywh)

    def set_motion(self, which: NDArray[Any] | slice, motion: Motion) -> None:
        """Stores boxes and speeds of these tracks."""
        self.xywh[which] = motion.xywh
        self.velocity[which] = motion.velocity
        self.variance[which] = motion.variance

    def motion_of(self, which: NDArray[Any]) -> Motion:
        """Boxes and speeds of these tracks."""
        return Motion(self.xywh[which], self.velocity[which], self.variance[which])

    def select(self, which: NDArray[Any]) -> "Tracks":
        """These tracks, by mask or index."""
        if which.dtype == bool and which.all():
            return self
        return Tracks(self.table[which], self.joints[which], self.histograms[which])

    def joined(self, others: "Tracks") -> "Tracks":
        """These tracks and then those."""
        table = np.empty(len(self) + len(others), dtype=ROW)
        table[: len(self)], table[len(self) :] = self.table, others.table
        joints = np.concatenate([self.joints, others.joints])
        return Tracks(table, joints, np.concatenate([self.histograms, others.histograms]))

    def where(self, *states: State) -> NDArray[np.int64]:
        """Rows in one of these states."""
        # As plain integers: NumPy takes ten times as long to compare with an Enum.
        wanted = self.state == int(states[0])
        for state in states[1:]:
            wanted |= self.state == int(state)
        rows: NDArray[np.int64] = wanted.nonzero()[0]
        return rows
