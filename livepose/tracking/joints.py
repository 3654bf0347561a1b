"""Left and right exchanged for a moment, and keypoints that jump away: mended.

Each track remembers where each of its keypoints was, how fast it went, and how long each limb has
been at most. From one picture to the next, a left and a right keypoint that are found about where
the other should be by now have been mixed up: they are exchanged back. A keypoint far from where
it should be, on a limb longer than this person's ever was (often a neighbour's hand), is not
believed: it is not there, and smoothing bridges the gap. Neither is held against the network for
long: what it insists on is true.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.poses import KeypointState, Poses
from livepose.skeletons import Skeleton
from livepose.tracking import _kernels
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Mask, Tracks

Rows = NDArray[np.int64]

FRESH_S = 0.25
"""Older memory says nothing; so long at most a jump is not believed."""
HOLD_S = 0.5
"""So long at most left and right are exchanged back."""
RATIO = 0.5
"""How much nearer keypoints must be to where the other should be than to their own place ..."""
APART = 0.12
"""... and how far apart those places are, in body scales (root of the box's area)."""
JUMP, SPEED = 0.25, 4.0
"""How far is far: so many body scales, or body scales a second."""
STRETCH = 1.4
"""A limb is too long from so many times its greatest length on."""
SHARE, LONGER, SHORTEN_S = 0.5, 0.3, 5.0
"""How quickly speeds and longer limbs are learned, and how slowly shorter ones."""

FIND = (FRESH_S, HOLD_S, RATIO, APART, JUMP, SPEED, STRETCH)
KEEP = (FRESH_S, SHARE, LONGER, SHORTEN_S)


class Mended(NamedTuple):
    """Poses with swaps and jumps mended, and how many pairs and keypoints those were."""

    poses: Poses
    swaps: int
    jumps: int


def mend(
    tracks: Tracks,
    rows: Rows,
    poses: Poses,
    double: Mask,
    time_s: float,
    chosen: TrackerSettings,
) -> Mended:
    """Mends poses (N) on the tracks ``rows``, but for those that are somebody else's ``double``.

    Keypoints whose score does not count are neither judged nor remembered.
    """
    pairs, parents = _structure(poses.skeleton)
    exchanged = np.zeros((len(rows), len(pairs)), dtype=np.bool_)
    refused = np.zeros(poses.keypoint_scores.shape, dtype=np.bool_)
    swaps, jumps = _kernels.mend(
        *(tracks.table, rows, double, np.ascontiguousarray(poses.keypoints_xy)),
        *(np.ascontiguousarray(poses.keypoint_scores), chosen.keypoint_score, pairs, parents),
        *(time_s, FIND, KEEP, exchanged, refused),
    )
    if swaps:
        poses = _exchanged(poses, exchanged, pairs)
    if jumps:
        poses = without(poses, refused)
    return Mended(poses, swaps, jumps)


def _exchanged(poses: Poses, exchanged: Mask, pairs: Rows) -> Poses:
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
def _structure(skeleton: Skeleton) -> tuple[Rows, Rows]:
    """Mirrored pairs (F, 2), and for each keypoint the one before it on a limb (K,), or -1."""
    parents = np.full(len(skeleton.keypoints), -1, dtype=np.int64)
    for limb in skeleton.limbs:
        parents[max(limb)] = max(parents[max(limb)], min(limb))
    return np.array(skeleton.flip_pairs, dtype=np.int64).reshape(-1, 2), parents
