"""Everybody who is followed, as a structure of arrays: row t of each array is track t."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.tracking.motion import Motion, start, to_xyxy

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


LOOK_LENGTH = 432
"""Two histograms of 6 x 6 x 6 colours."""


class State(IntEnum):
    """What is known of a track."""

    TENTATIVE = 0
    """Weakly detected, not yet believed; has no id."""
    ACTIVE = 1
    """Handed out."""
    HIDDEN = 2
    """Detected, but its pose was another's: not handed out until the boxes part."""
    LOST = 3
    """Out of sight; may come back."""


@dataclass
class Tracks:
    """T tracks with K keypoints; times are seconds, NaN for never."""

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
    looks: Floats
    """(T, L): the colours that somebody wears, NaN before they are known; see ``appearance``."""
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
        count, motion = len(boxes_xyxy), start(boxes_xyxy, noise)
        never, now = np.full(count, np.nan), np.full(count, time_s)
        return cls(
            ids=np.zeros(count, dtype=np.int64),
            state=np.full(count, State.TENTATIVE, dtype=np.int64),
            hits=np.ones(count, dtype=np.int64),
            scores=scores.astype(np.float64),
            born_s=now,
            seen_s=now.copy(),
            detected_s=now.copy(),
            missed_s=never,
            xywh=motion.xywh,
            velocity=motion.velocity,
            variance=motion.variance,
            keypoints_xy=np.full((count, keypoints, 2), np.nan),
            keypoints_s=never.copy(),
            joint_xy=np.full((count, keypoints, 2), np.nan),
            joint_velocity=np.zeros((count, keypoints, 2)),
            joint_s=np.full((count, keypoints), np.nan),
            swapped_s=np.full((count, keypoints), np.nan),
            reach=np.full((count, keypoints), np.nan),
            looks=np.full((count, LOOK_LENGTH), np.nan),
            looked_xyxy=boxes_xyxy.astype(np.float64),
            margins=np.tile(margins, (count, 1)),
            level=never.copy(),
            faded=np.zeros(count, dtype=bool),
            chosen=np.zeros(count, dtype=bool),
            seeded=np.zeros(count, dtype=bool),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def with_keypoints(self, keypoints: int) -> "Tracks":
        """These tracks, with nothing known of their K keypoints."""
        fresh = Tracks.born(self.boxes_xyxy, self.scores, 0.0, 0.0, np.zeros(4), keypoints)
        names = ("keypoints_xy", "joint_xy", "joint_velocity", "joint_s", "swapped_s", "reach")
        return replace(self, **{name: getattr(fresh, name) for name in names})

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
        return Tracks(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def joined(self, others: "Tracks") -> "Tracks":
        """These tracks and then those."""
        return Tracks(
            **{
                field.name: np.concatenate([getattr(self, field.name), getattr(others, field.name)])
                for field in fields(self)
            }
        )

    def where(self, *states: State) -> NDArray[np.int64]:
        """Rows in one of these states."""
        # As plain integers: NumPy takes ten times as long to compare with an Enum.
        wanted = self.state == int(states[0])
        for state in states[1:]:
            wanted |= self.state == int(state)
        rows: NDArray[np.int64] = wanted.nonzero()[0]
        return rows
