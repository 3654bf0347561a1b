"""Skeletons on a picture: limbs, joints, ids, and if wanted boxes and uncertainty.

A limb is as opaque as its ends are sure, as wide as the person is big, and coloured by track and
by side of the body; far people are painted before near ones.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livepose.drawing._people_kernels import paint_people
from livepose.drawing.canvas import on_canvas
from livepose.drawing.palette import CENTRE, LEFT, RIGHT, track_colours_bgr
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.skeletons import COCO17, Skeleton

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_FACE = ("nose", "eye", "ear")


@lru_cache(maxsize=16)
def _anatomy(skeleton: Skeleton) -> tuple[Rows, Rows]:
    """What drawing wants to know of a skeleton.

    Of keypoints (K, 2) the side and whether they are of the face; of limbs (L, 4) both ends, and
    the same two.
    """
    sides = np.array([_side(name) for name in skeleton.keypoints], dtype=np.int64)
    for left, right in skeleton.flip_pairs:
        sides[left], sides[right] = LEFT, RIGHT
    face = np.array([name.split("_")[-1] in _FACE for name in skeleton.keypoints], dtype=np.int64)
    ends = np.array(skeleton.limbs, dtype=np.int64).reshape(-1, 2)
    first, second = sides[ends].T
    mixed = np.where(first == second, first, CENTRE)
    limb_sides = np.where(first == CENTRE, second, np.where(second == CENTRE, first, mixed))
    limbs = np.column_stack([ends, limb_sides, face[ends].max(axis=1)])
    return np.column_stack([sides, face]), np.ascontiguousarray(limbs)


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
        Thin ellipses around each keypoint whose covariance is known, which hold 39 and 86 % of
        the errors: those of one and two sigma, had errors no heavier tails than normal ones.

    Raises
    ------
    UsageError
        When the picture is grey, not uint8, or read-only.
    """
    with on_canvas(image_bgr) as canvas:
        if len(poses) and canvas.size:
            people = (
                *(np.ascontiguousarray(poses.track_ids, np.int64), _plain(poses.keypoints_xy)),
                *(
                    _plain(poses.keypoint_scores),
                    np.ascontiguousarray(poses.keypoint_states, np.uint8),
                ),
                *(_plain(poses.boxes_xyxy), _plain(poses.covariance_px2)),
            )
            colours_bgr = _colours_bgr(tuple(poses.track_ids.tolist()))
            show = bool(show_boxes), bool(show_ids), bool(show_uncertainty)
            anatomy = _anatomy(poses.skeleton)
            paint_people(canvas, people, colours_bgr, anatomy, float(score_threshold), show)
    return image_bgr


def warm_up() -> None:
    """Compiles what drawing needs, or loads it, so that the first picture need not wait.

    Draws somebody nobody sees; the networks can be opened meanwhile.
    """
    everywhere = np.linspace(2.0, 14.0, len(COCO17.keypoints))
    nobody = Poses(
        keypoints_xy=np.stack([everywhere, everywhere], axis=1)[None],
        keypoint_scores=np.ones((1, len(everywhere))),
        boxes_xyxy=np.array([[1.0, 1.0, 15.0, 15.0]]),
        scores=np.ones(1),
        track_ids=np.ones(1, dtype=np.int64),
        covariance_px2=np.broadcast_to(np.eye(2), (1, len(everywhere), 2, 2)),
    )
    draw_poses(np.zeros((16, 16, 3), dtype=np.uint8), nobody)


def _plain(array: Floats) -> Floats:
    return np.ascontiguousarray(array, np.float64)


@lru_cache(maxsize=256)
def _colours_bgr(track_ids: tuple[int, ...]) -> Floats:
    """Three colours of each person, (P, 3, 3)."""
    # People of a still picture have no track; there the order tells them apart.
    numbers = [known if known > 0 else index + 1 for index, known in enumerate(track_ids)]
    return np.array([track_colours_bgr(number) for number in numbers])
