"""Invented people for drawing tests."""

import numpy as np
from numpy.typing import NDArray

from livepose.poses import Poses
from livepose.skeletons import COCO17, Skeleton

STANDING = np.array(
    [
        *((0.50, 0.10), (0.54, 0.08), (0.46, 0.08), (0.58, 0.10), (0.42, 0.10)),
        *((0.66, 0.24), (0.34, 0.24), (0.74, 0.40), (0.26, 0.40), (0.78, 0.54), (0.22, 0.54)),
        *((0.60, 0.54), (0.40, 0.54), (0.62, 0.76), (0.38, 0.76), (0.63, 0.97), (0.37, 0.97)),
    ]
)
"""COCO's points of a standing person who faces us, in a unit box: the left side is on our right."""


def standing(
    boxes_xyxy: list[tuple[float, float, float, float]],
    score: float = 1.0,
    first_id: int = 1,
    sigma_px: float = float("nan"),
) -> Poses:
    boxes = np.array(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    people = len(boxes)
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    covariance = np.broadcast_to(np.eye(2) * sigma_px**2, (people, 17, 2, 2)).copy()
    ids = np.arange(first_id, first_id + people) if first_id else np.zeros(people, dtype=np.int64)
    return Poses(
        keypoints_xy=boxes[:, None, :2] + STANDING * sides,
        keypoint_scores=np.full((people, 17), score),
        boxes_xyxy=boxes,
        scores=np.ones(people),
        track_ids=ids.astype(np.int64),
        covariance_px2=covariance,
    )


def of_points(
    points: dict[str, tuple[float, float]],
    score: float = 1.0,
    size_px: float = 100.0,
    skeleton: Skeleton = COCO17,
) -> Poses:
    """One person of whom only these keypoints are there."""
    count = len(skeleton.keypoints)
    xy: NDArray[np.float64] = np.full((1, count, 2), np.nan)
    scores = np.zeros((1, count))
    for name, point in points.items():
        xy[0, skeleton.keypoints.index(name)] = point
        scores[0, skeleton.keypoints.index(name)] = score
    return Poses(
        keypoints_xy=xy,
        keypoint_scores=scores,
        boxes_xyxy=np.array([[0.0, 0.0, size_px, size_px]]),
        scores=np.ones(1),
        track_ids=np.zeros(1, dtype=np.int64),
        covariance_px2=np.full((1, count, 2, 2), np.nan),
        skeleton=skeleton,
    )
