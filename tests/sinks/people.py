"""People and frames that the tests of the sinks write."""

import numpy as np

from livepose.frame import Frame
from livepose.poses import Poses
from livepose.skeletons import COCO17


def frame(index=0, time_s=0.0, size_wh=(64, 48), name=None, value=100) -> Frame:
    return Frame(np.full((size_wh[1], size_wh[0], 3), value, np.uint8), time_s, index, name=name)


def poses(people=1, missing=()) -> Poses:
    """Keypoint k of person p lies at (10 + k + 100 p, 20 + k), with score 0.5 + k / 100."""
    joints = len(COCO17.keypoints)
    k = np.arange(joints, dtype=float)
    xy = np.stack([np.stack([10 + k + 100 * p, 20 + k], axis=1) for p in range(people)])
    scores = np.tile(0.5 + k / 100, (people, 1))
    xy[:, list(missing)], scores[:, list(missing)] = np.nan, 0.0
    covariance = np.tile(np.eye(2) * 4.0, (people, joints, 1, 1))
    covariance[:, list(missing)] = np.nan
    return Poses(
        keypoints_xy=xy,
        keypoint_scores=scores,
        boxes_xyxy=np.array([[5.0 + 100 * p, 6, 45 + 100 * p, 66] for p in range(people)]),
        scores=np.full(people, 0.9),
        track_ids=np.arange(1, people + 1),
        covariance_px2=covariance,
    )
