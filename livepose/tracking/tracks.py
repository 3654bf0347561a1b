"""Everybody who is followed, in one table: row t is track t, and each field is a column."""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes, to_xyxy
from livepose.tracking import motion
from livepose.tracking.joints import JOINT_COLUMNS, KEYPOINT, REACH, VELOCITY

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


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


START_MARGINS = (0.1, 0.15, 0.1, 0.1)
"""Left, top, right, bottom, of a person seen whole, before anything is learned."""
HISTOGRAM_LENGTH = 432
"""Two histograms of 6 x 6 x 6 colours."""
ROW = np.dtype(
    [
        ("ids", np.int64),  # 0 until it becomes a person
        ("state", np.int64),  # a State
        ("hits", np.int64),  # detections so far
        ("scores", np.float64),  # of the last detection
        ("born_s", np.float64),
        ("seen_s", np.float64),  # last detected or seen by good keypoints
        ("detected_s", np.float64),
        ("missed_s", np.float64),  # when the detector first missed it, NaN while it agrees
        ("keypoints_s", np.float64),  # when a pose was last taken in
        # Since when it has a pose of its own, NaN while that is somebody else's; whoever has had
        # one for long enough keeps it (``ESTABLISHED_S``).
        ("own_s", np.float64),
        ("level", np.float64),  # mean score of the keypoints at the last detection
        ("faded", np.bool_),  # they are much lower now
        ("chosen", np.bool_),  # among the ``max_people`` at the last frame
        ("seeded", np.bool_),  # the box is the whole image, not a person's
        # Where it is: see ``motion``.
        ("xywh", np.float64, 4),
        ("velocity", np.float64, 4),
        ("variance", np.float64, (4, 3)),
        ("looked_xyxy", np.float64, 4),  # the box when the keypoints were seen
        ("margins", np.float64, 4),  # keypoints to box edge, outwards, by the keypoints' extent
        # Whether it is somebody: see ``joints.prove``.
        ("best", np.float64),  # mean score of the best keypoints of late
        ("proven_s", np.float64),  # when detector or keypoints were last sure
        ("strong_s", np.float64),  # ... whether it moves or not
        ("sure_since_s", np.float64),  # since when they have been, again and again
        ("doubts", np.int64),  # images since ``proven_s`` in which neither was
        ("anchor_xy", np.float64, 2),  # the box's centre at ``anchor_s``, a second ago at most
        ("anchor_s", np.float64),
        ("moved_s", np.float64),  # when it was last clearly elsewhere than at its anchor
        ("histograms", np.float64, HISTOGRAM_LENGTH),  # the colours that it wears
    ],
    align=True,
)
NUMBERS = [name for name in ROW.names or () if ROW[name].base == np.float64]


class Tracks:
    """T tracks with K keypoints; times are seconds, and what is not known yet is NaN.

    ``table`` (T,) of ``ROW`` holds what there is of each, ``joints`` (T, K, ``JOINT_COLUMNS``) what
    there is of each keypoint. Each field of the table is an attribute, to be written into and never
    to be replaced.
    """

    def __init__(self, table: NDArray[np.void], joints: Floats) -> None:
        self.table, self.joints = table, joints

    def __getattr__(self, name: str) -> NDArray[Any]:
        column: NDArray[Any] = self.table[name]
        setattr(self, name, column)  # only the first time is it looked up here
        return column

    @classmethod
    def born(cls, boxes_xyxy: Boxes, scores: Floats, time_s: float, keypoints: int) -> "Tracks":
        """Tracks of detections (N, 4), tentative and without ids."""
        joints = np.full((len(boxes_xyxy), keypoints, JOINT_COLUMNS), np.nan)
        joints[..., VELOCITY] = 0.0
        tracks = cls(np.zeros(len(boxes_xyxy), dtype=ROW), joints)
        for name in NUMBERS:
            tracks.table[name] = np.nan
        motion.start(tracks.table, boxes_xyxy)
        tracks.state[:], tracks.hits[:], tracks.scores[:] = State.TENTATIVE, 1, scores
        tracks.born_s[:] = tracks.seen_s[:] = tracks.detected_s[:] = time_s
        tracks.looked_xyxy[:], tracks.margins[:] = boxes_xyxy, START_MARGINS
        return tracks

    def __len__(self) -> int:
        return len(self.table)

    def with_keypoints(self, keypoints: int) -> "Tracks":
        """These tracks, with nothing known of their K keypoints."""
        fresh = Tracks.born(self.boxes_xyxy, self.scores, 0.0, keypoints)
        return Tracks(self.table, fresh.joints)

    @property
    def boxes_xyxy(self) -> Boxes:
        """Boxes as they are believed to be, (T, 4)."""
        return to_xyxy(self.table["xywh"])

    @property
    def keypoints_xy(self) -> Floats:
        """Keypoints of the last image, (T, K, 2), NaN below the score that counts."""
        return self.joints[..., KEYPOINT]

    @property
    def reach(self) -> Floats:
        """Greatest length of the limb to the keypoint before, (T, K), in body scales."""
        return self.joints[..., REACH]

    def select(self, which: NDArray[Any]) -> "Tracks":
        """These tracks, by mask or index."""
        if which.dtype == bool and which.all():
            return self
        return Tracks(self.table[which], self.joints[which])

    def joined(self, others: "Tracks") -> "Tracks":
        """These tracks and then those."""
        table = np.empty(len(self) + len(others), dtype=ROW)  # concatenating would pack the fields
        table[: len(self)], table[len(self) :] = self.table, others.table
        return Tracks(table, np.concatenate([self.joints, others.joints]))

    def where(self, *states: State) -> Rows:
        """Rows in one of these states."""
        # As plain integers: NumPy takes ten times as long to compare with an Enum.
        wanted = self.state == int(states[0])
        for state in states[1:]:
            wanted |= self.state == int(state)
        return np.flatnonzero(wanted)
