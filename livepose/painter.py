"""How people are drawn into the pictures that leave the program."""

from dataclasses import dataclass, replace

import numpy as np

from livepose.drawing import draw_poses
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.results.angles import AngleMeter, draw_angles


@dataclass(frozen=True, slots=True)
class Look:
    """How the people are drawn."""

    mirror: bool = False
    """Turns the picture like a mirror, after inference; left stays the person's left."""
    score_threshold: float = 0.2
    """Keypoints below this score are not drawn."""
    boxes: bool = False
    ids: bool = True
    uncertainty: bool = False
    angles: bool = False
    """Degrees beside the joints."""
    skeleton_only: bool = False
    """On black: no picture of anybody leaves the machine."""


class Painter:
    """Draws one stream."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._angles = AngleMeter()

    def draw(self, frame: Frame, poses: Poses) -> ImageBgr:
        """A picture of its own, with the people drawn."""
        look = self.look
        image_bgr = frame.image_bgr.copy()
        angles = self._angles(poses, tracked=frame.name is None) if look.angles else None
        if look.skeleton_only:
            image_bgr[:] = 0
        if look.mirror:
            image_bgr = np.ascontiguousarray(image_bgr[:, ::-1])
            poses = mirrored(poses, frame.size_wh[0])
        draw_poses(
            image_bgr,
            poses,
            score_threshold=look.score_threshold,
            show_boxes=look.boxes,
            show_ids=look.ids,
            show_uncertainty=look.uncertainty,
        )
        if angles is not None:
            draw_angles(image_bgr, poses, angles, look.score_threshold)
        return image_bgr

    def toggle_uncertainty(self) -> None:
        """Ellipses, or none."""
        self.look = replace(self.look, uncertainty=not self.look.uncertainty)


def mirrored(poses: Poses, width_px: int) -> Poses:
    """The same people in the mirrored picture; every label stays."""
    keypoints_xy = poses.keypoints_xy.copy()
    keypoints_xy[..., 0] = width_px - 1 - keypoints_xy[..., 0]
    boxes_xyxy = poses.boxes_xyxy.copy()
    boxes_xyxy[:, [0, 2]] = width_px - boxes_xyxy[:, [2, 0]]
    covariance_px2 = poses.covariance_px2.copy()
    covariance_px2[..., 0, 1] *= -1
    covariance_px2[..., 1, 0] *= -1
    return replace(
        poses, keypoints_xy=keypoints_xy, boxes_xyxy=boxes_xyxy, covariance_px2=covariance_px2
    )
