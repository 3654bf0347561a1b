"""People whose turn has not come: their last pose, moved along with their box."""

from dataclasses import fields, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.poses import KeypointState, Poses

Floats = NDArray[np.float64]

GROWTH = (0.5, 2.0)
"""A propagated pose shrinks or grows by no more than this."""


class Places(Protocol):
    """Where people are: boxes (T, 4), and whose they are (T,)."""

    @property
    def boxes_xyxy(self) -> Boxes:
        """Boxes, (T, 4)."""

    @property
    def track_ids(self) -> NDArray[np.int64]:
        """Whose they are, (T,)."""


class PosePropagation:
    """Remembers the last pose of each person, and where their box was then."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everybody."""
        self._poses: Poses | None = None

    def remember(self, poses: Poses, places: Places) -> None:
        """These are the people of this frame, all of them, and where the tracker sees them now.

        What keypoints say of a box moves it after they were found in it, so the boxes of the
        poses themselves will not do.
        """
        known, rows = _find(poses.track_ids, places.track_ids)
        self._poses = replace(poses.select(known), boxes_xyxy=places.boxes_xyxy[rows])

    def propagate(self, boxes_xyxy: Boxes, track_ids: NDArray[np.int64]) -> Poses | None:
        """The poses of those among ``track_ids`` (P,) who are known, moved into these boxes.

        Keypoints move and grow with the box, are marked as predicted, and their covariance is
        NaN: they were not measured. None when nobody is known.
        """
        if self._poses is None:
            return None
        known, rows = _find(track_ids, self._poses.track_ids)
        if not len(rows):
            return None
        poses, boxes_xyxy = self._poses.select(rows), boxes_xyxy[known]
        keypoints_xy = moved(poses.keypoints_xy, poses.boxes_xyxy, boxes_xyxy)
        there = poses.keypoint_states != int(KeypointState.MISSING)
        states = np.where(there, np.uint8(KeypointState.PREDICTED), poses.keypoint_states)
        return replace(
            poses,
            keypoints_xy=keypoints_xy,
            boxes_xyxy=boxes_xyxy,
            covariance_px2=np.full_like(poses.covariance_px2, np.nan),
            keypoint_states=states,
        )


def moved(keypoints_xy: Floats, old_xyxy: Boxes, new_xyxy: Boxes) -> Floats:
    """Keypoints (P, K, 2) that lay in the old boxes (P, 4), at the same place in the new ones."""
    old, new = (_centre_and_size(each) for each in (old_xyxy, new_xyxy))
    growth = np.clip(new[1] / np.maximum(old[1], 1.0), *GROWTH)
    return np.asarray(new[0][:, None] + (keypoints_xy - old[0][:, None]) * growth[:, None])


def _find(
    ids: NDArray[np.int64], among: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which of these ids are among those, and at which places."""
    same = ids[:, None] == among
    return same.any(axis=1), np.asarray(same.nonzero()[1])


def _centre_and_size(boxes_xyxy: Boxes) -> tuple[Floats, Floats]:
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    return (low + high) / 2, high - low


def joined(first: Poses, second: Poses | None) -> Poses:
    """Both, sorted by id as the tracker hands people out."""
    if second is None or not len(second):
        return first
    both = Poses(
        **{
            field.name: np.concatenate([getattr(first, field.name), getattr(second, field.name)])
            for field in fields(Poses)
            if field.name != "skeleton"
        },
        skeleton=first.skeleton,
    )
    return both.select(np.argsort(both.track_ids, kind="stable"))
