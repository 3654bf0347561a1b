"""Skeletons on a picture: limbs, joints, ids, and if wanted boxes and uncertainty.

A limb is as opaque as its ends are sure, as wide as the person is big, and coloured by track and
by side of the body; far people are painted before near ones.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livepose.drawing._people_kernels import Anatomy, People, Style, paint_people
from livepose.drawing.canvas import on_canvas
from livepose.drawing.palette import CENTRE, LEFT, RIGHT, track_colours_bgr
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.skeletons import Skeleton

Floats = NDArray[np.float64]

_FACE = ("nose", "eye", "ear")


@lru_cache(maxsize=16)
def _anatomy(skeleton: Skeleton) -> Anatomy:
    sides = np.array([_side(name) for name in skeleton.keypoints], dtype=np.int64)
    face = np.array([name.split("_")[-1] in _FACE for name in skeleton.keypoints], dtype=bool)
    limbs = np.array(skeleton.limbs, dtype=np.int64).reshape(-1, 2)
    first, second = sides[limbs[:, 0]], sides[limbs[:, 1]]
    mixed = np.where(first == second, first, CENTRE)
    limb_sides = np.where(first == CENTRE, second, np.where(second == CENTRE, first, mixed))
    return Anatomy(sides, face, limbs, limb_sides, face[limbs[:, 0]] | face[limbs[:, 1]])


def _side(name: str) -> int:
    if name.startswith("left_"):
        return LEFT
    return RIGHT if name.startswith("right_") else CENTRE


def draw_poses(
    image_bgr: ImageBgr,
    poses: Poses,
    *,
    score_threshold: float = 0.2,
    show_boxes: bool = False,
    show_ids: bool = True,
    show_uncertainty: bool = False,
) -> ImageBgr:
    """Draws people into a picture, in place, and returns that picture.

    Parameters
    ----------
    image_bgr : uint8 (H, W, 3)
        Changed in place.
    poses : Poses
        In pixels of this picture. NaN keypoints, and limbs with a NaN end, are left out.
    score_threshold : float
        Keypoints below this score are left out.
    show_boxes : bool
        The box of each person, as a thin line.
    show_ids : bool
        The track id of each person who has one, above the head.
    show_uncertainty : bool
        A thin one-sigma ellipse around each keypoint whose covariance is known.

    Raises
    ------
    UsageError
        When the picture is grey, not uint8, or read-only.
    """
    with on_canvas(image_bgr) as canvas:
        if len(poses) and canvas.size:
            style = Style(
                float(score_threshold), bool(show_boxes), bool(show_ids), bool(show_uncertainty)
            )
            paint_people(canvas, _people(poses), _anatomy(poses.skeleton), style)
    return image_bgr


def _people(poses: Poses) -> People:
    """The arrays of these poses as the kernel wants them, with colours."""
    return People(
        np.ascontiguousarray(poses.track_ids, np.int64),
        _plain(poses.keypoints_xy),
        _plain(poses.keypoint_scores),
        np.ascontiguousarray(poses.keypoint_states, np.uint8),
        _plain(poses.boxes_xyxy),
        _plain(poses.covariance_px2),
        _colours_bgr(tuple(poses.track_ids.tolist())),
    )


def _plain(array: Floats) -> Floats:
    return np.ascontiguousarray(array, np.float64)


@lru_cache(maxsize=256)
def _colours_bgr(track_ids: tuple[int, ...]) -> Floats:
    """Three colours of each person, (P, 3, 3)."""
    # People of a still picture have no track; there the order tells them apart.
    numbers = [known if known > 0 else index + 1 for index, known in enumerate(track_ids)]
    return np.array([track_colours_bgr(number) for number in numbers])
