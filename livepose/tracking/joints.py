"""Left and right exchanged for a moment, and keypoints that jump away: mended.

Each track remembers where each of its keypoints was, how fast it went, and how long each limb has
been at most. From one picture to the next, a left and a right keypoint that are found about where
the other should be by now have been mixed up: they are exchanged back. A keypoint far from where
it should be, on a limb longer than this person's ever was (often a neighbour's hand), is not
believed: it is not there, and smoothing bridges the gap. Neither is held against the network for
long: what it insists on is true. The kernels in ``_pose_kernels`` look; this exchanges and takes
away.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from livepose.poses import KeypointState, Poses
from livepose.skeletons import Skeleton
from livepose.tracking.tracks import Mask

Rows = NDArray[np.int64]


def swap_back(poses: Poses, exchanged: Mask, pairs: Rows) -> Poses:
    """The poses (N) with those of the pairs (F, 2) exchanged that are marked (N, F)."""
    people, which = np.nonzero(exchanged)
    order = np.tile(np.arange(poses.keypoint_scores.shape[1]), (len(poses), 1))
    order[people, pairs[which, 0]], order[people, pairs[which, 1]] = pairs[which].T[::-1]
    each = np.arange(len(poses))[:, None]
    return replace(
        poses,
        keypoints_xy=poses.keypoints_xy[each, order],
        keypoint_scores=poses.keypoint_scores[each, order],
        covariance_px2=poses.covariance_px2[each, order],
        keypoint_states=poses.keypoint_states[each, order],
    )


def without(poses: Poses, refused: Mask) -> Poses:
    """The poses (N) without these keypoints, (N, K) or (N, 1)."""
    missing = np.uint8(KeypointState.MISSING)
    return replace(
        poses,
        keypoints_xy=np.where(refused[..., None], np.nan, poses.keypoints_xy),
        keypoint_scores=np.where(refused, 0.0, poses.keypoint_scores),
        covariance_px2=np.where(refused[..., None, None], np.nan, poses.covariance_px2),
        keypoint_states=np.where(refused, missing, poses.keypoint_states),
    )


@cache
def structure_of(skeleton: Skeleton) -> tuple[Rows, Rows]:
    """Mirrored pairs (F, 2), and for each keypoint the one before it on a limb (K,), or -1."""
    parents = np.full(len(skeleton.keypoints), -1, dtype=np.int64)
    for limb in skeleton.limbs:
        parents[max(limb)] = max(parents[max(limb)], min(limb))
    return np.array(skeleton.flip_pairs, dtype=np.int64).reshape(-1, 2), parents
