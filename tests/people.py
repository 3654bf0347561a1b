"""Made-up people, and what a detector makes of them."""

import numpy as np
from numpy.typing import ArrayLike

from livepose.detection import Detections
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


def made(
    keypoints_xy: ArrayLike,
    scores: ArrayLike = 0.8,
    boxes_xyxy: ArrayLike = (0.0, 0.0, 100.0, 100.0),
    ids: ArrayLike | None = None,
    sigma_px: float = float("nan"),
    skeleton: Skeleton = COCO17,
) -> Poses:
    """People whose keypoints (P, K, 2) are there where they are finite; ids from 1 on."""
    xy = np.array(keypoints_xy, dtype=np.float64)
    people = len(xy)
    known = np.isfinite(xy).all(axis=2)
    return Poses(
        keypoints_xy=xy,
        keypoint_scores=np.where(known, scores, 0.0),
        boxes_xyxy=np.array(np.broadcast_to(np.array(boxes_xyxy, np.float64), (people, 4))),
        scores=np.ones(people),
        track_ids=np.arange(1, people + 1) if ids is None else np.array(ids, dtype=np.int64),
        covariance_px2=np.where(known[..., None, None], np.eye(2) * sigma_px**2, np.nan),
        skeleton=skeleton,
    )


def points_in(boxes_xyxy: ArrayLike, shape: ArrayLike = STANDING) -> np.ndarray:
    """Keypoints (..., K, 2) of people in boxes (..., 4), whose ``shape`` is that in a unit box."""
    boxes = np.array(boxes_xyxy, dtype=np.float64)[..., None, :]
    return boxes[..., :2] + np.array(shape) * (boxes[..., 2:] - boxes[..., :2])


def standing(*boxes_xyxy: tuple[float, float, float, float], **how: ArrayLike) -> Poses:
    """People who stand in these boxes."""
    return made(points_in(boxes_xyxy), boxes_xyxy=boxes_xyxy, **{"scores": 1.0, **how})


def box(x: float, y: float = 200.0, w: float = 80.0, h: float = 200.0) -> list[float]:
    """The box of that size around (x, y)."""
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def found(*boxes_xyxy: ArrayLike, scores: ArrayLike = 0.9) -> Detections:
    """What a detector says of an image with people in these boxes."""
    boxes = np.array(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    return Detections(boxes, np.broadcast_to(np.array(scores, dtype=np.float64), len(boxes)))
