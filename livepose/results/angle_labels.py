"""Angles of joints as numbers in the picture, beside the joints."""

import numpy as np

from livepose.drawing.text import put_text
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.results.angles import JOINTS, NAMES, Angles

_WHITE, _BLACK = (255.0, 255.0, 255.0), (0.0, 0.0, 0.0)
_SHARE_OF_BOX = 0.035
_SMALLEST_PX, _LARGEST_PX = 7.0, 16.0


def draw_angles(
    image_bgr: ImageBgr, poses: Poses, angles: Angles, score_threshold: float = 0.2
) -> ImageBgr:
    """Writes the whole degrees of knees, hips, elbows and shoulders beside them, in place.

    Parameters
    ----------
    image_bgr : uint8 (H, W, 3)
        Changed in place.
    poses : Poses
        Where people are in this picture.
    angles : Angles
        Of the same people, in the same order.
    score_threshold : float
        Joints below this score have no number.
    """
    order = {name: index for index, name in enumerate(poses.skeleton.keypoints)}
    for person in range(len(poses)):
        tall_px = float(poses.boxes_xyxy[person, 3] - poses.boxes_xyxy[person, 1]) * _SHARE_OF_BOX
        tall_px = float(np.clip(np.nan_to_num(tall_px), _SMALLEST_PX, _LARGEST_PX))
        for name in (one for one in JOINTS if one in order):
            joint, degrees = order[name], angles.degrees[person, NAMES.index(name)]
            score = poses.keypoint_scores[person, joint]
            if np.isfinite(degrees) and score >= score_threshold:
                x, y = poses.keypoints_xy[person, joint]
                _label(image_bgr, f"{degrees:.0f}", (float(x), float(y)), tall_px)
    return image_bgr


def _label(image_bgr: ImageBgr, text: str, joint_xy: tuple[float, float], tall_px: float) -> None:
    left, base = joint_xy[0] + tall_px * 0.6, joint_xy[1] + tall_px / 2
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):  # readable on any ground
        put_text(image_bgr, text, (left + dx, base + dy), tall_px, _BLACK)
    put_text(image_bgr, text, (left, base), tall_px, _WHITE)
