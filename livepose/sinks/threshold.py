"""One rule for all outputs: which keypoints are worth telling."""

import numpy as np

from livepose.poses import KeypointState, Poses


def above(poses: Poses, score: float) -> Poses:
    """The same people; keypoints that score less are missing, as if they had not been found."""
    weak = poses.keypoint_scores < score
    if not weak.any():
        return poses
    return poses.with_keypoints(
        np.where(weak[..., None], np.nan, poses.keypoints_xy),
        np.where(weak, 0.0, poses.keypoint_scores),
        np.where(weak[..., None, None], np.nan, poses.covariance_px2),
        np.where(weak, np.uint8(KeypointState.MISSING), poses.keypoint_states),
    )
