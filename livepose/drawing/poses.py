"""Skeletons on an image: limbs, joints, ids, and if wanted boxes and uncertainty.

A limb is as opaque as its ends are sure, as wide as the person is big, and coloured by track and
by side of the body; far people are painted before near ones.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.drawing._kernels import Anatomy, Floats, paint_capsules, paint_people, paint_plate
from livepose.drawing.canvas import (
    SHIFT,
    blended,
    canvas_of,
    fixed,
    put_text,
    text_width_px,
)
from livepose.drawing.palette import CENTRE, LEFT, RIGHT, track_colours_bgr
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.skeletons import Skeleton
from livepose.weights.calibration import RADII

_FACE = ("nose", "eye", "ear")
_ELLIPSE_OPACITY = 0.5
_ID_BGR = np.array([25.0, 20.0, 20.0])


def draw_poses(
    image_bgr: ImageBgr,
    poses: Poses,
    *,
    score_threshold: float = 0.2,
    show_boxes: bool = False,
    show_ids: bool = True,
    show_uncertainty: bool = False,
) -> ImageBgr:
    """Draws people into an image, in place, and returns that image.

    Parameters
    ----------
    image_bgr : uint8 (H, W, 3)
        Changed in place.
    poses : Poses
        In pixels of this image. NaN keypoints, and limbs with a NaN end, are left out.
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
        When the image is grey, not uint8, or read-only.
    """
    canvas = canvas_of(image_bgr)
    if len(poses) and canvas.size:
        colours_bgr = _colours_bgr(tuple(poses.track_ids.tolist()))
        if show_boxes:
            _draw_boxes(canvas, poses.boxes_xyxy, colours_bgr)
        # Smaller joints under ellipses, so that a sure point's small ellipse is seen.
        magnified = 0.6 if show_uncertainty else 1.0
        labels = _paint(canvas, poses, colours_bgr, score_threshold, magnified)
        if show_uncertainty:
            _draw_ellipses(canvas, poses, colours_bgr, score_threshold)
        for row, x, y, tall_px in labels.tolist() if show_ids else ():
            track_id = int(poses.track_ids[int(row)])
            if track_id > 0 and tall_px > 0:
                paint_plate(canvas, *_plate(track_id, round(tall_px)), x, y)
    if canvas is not image_bgr:
        image_bgr[...] = canvas
    return image_bgr


def warm_up() -> None:
    """Compiles what drawing needs, or loads it, so that the first image need not wait.

    The networks can be opened meanwhile.
    """
    black = np.zeros((1, 1, 3), dtype=np.uint8)
    _paint(black, Poses.empty(), np.zeros((0, 3, 3)), 0.2, 1.0)
    paint_plate(black, *_plate(1, 7), 0.0, 0.0)
    paint_capsules(black, np.zeros((0, 12)))


def _paint(
    canvas: ImageBgr, poses: Poses, colours_bgr: Floats, score_threshold: float, magnified: float
) -> Floats:
    arrays = poses.keypoints_xy, poses.keypoint_scores, poses.keypoint_states, poses.boxes_xyxy
    people, anatomy = tuple(map(np.ascontiguousarray, arrays)), _anatomy(poses.skeleton)
    labels = paint_people(canvas, people, colours_bgr, anatomy, score_threshold, magnified)
    return np.asarray(labels)


@lru_cache(maxsize=16)
def _anatomy(skeleton: Skeleton) -> Anatomy:
    names = skeleton.keypoints
    words = {"left": LEFT, "right": RIGHT}
    sides = np.array([words.get(name.split("_")[0], CENTRE) for name in names])
    for left, right in skeleton.flip_pairs:
        sides[left], sides[right] = LEFT, RIGHT
    face = np.array([name.split("_")[-1] in _FACE for name in names])
    ends = np.array(skeleton.limbs, dtype=np.int64).reshape(-1, 2)
    first, second = sides[ends].T
    mixed = np.where(first == second, first, CENTRE)
    limb_sides = np.where(first == CENTRE, second, np.where(second == CENTRE, first, mixed))
    return sides, face, ends, limb_sides, np.asarray(face[ends].any(axis=1))


@lru_cache(maxsize=256)
def _colours_bgr(track_ids: tuple[int, ...]) -> Floats:
    """Three colours of each person, (P, 3, 3)."""
    # People of a still image have no track; there the order tells them apart.
    numbers = [known if known > 0 else index + 1 for index, known in enumerate(track_ids)]
    return np.array([track_colours_bgr(number) for number in numbers])


def _draw_boxes(canvas: ImageBgr, boxes_xyxy: Floats, colours_bgr: Floats) -> None:
    # The edge 0 of a box lies half a pixel left of the first pixel's centre.
    for box, colours in zip(np.rint(boxes_xyxy - 0.5), colours_bgr, strict=True):
        if np.isfinite(box).all():
            low, high = fixed(box.reshape(2, 2))
            cv2.rectangle(canvas, low, high, colours[CENTRE].tolist(), 1, cv2.LINE_8, SHIFT)


def _draw_ellipses(
    canvas: ImageBgr, poses: Poses, colours_bgr: Floats, score_threshold: float
) -> None:
    """One wider than the image says nothing and is left out."""
    most = float(max(canvas.shape)) ** 2
    there = np.isfinite(poses.keypoints_xy).all(axis=2)
    there &= poses.keypoint_scores >= score_threshold
    xx, xy, yy = np.clip(poses.covariance_px2[..., [0, 0, 1], [0, 1, 1]], -most, most).T
    known = (there.T & (xx > 0) & (np.maximum(xx, yy) < most) & (xx * yy - xy * xy > 1e-9)).T
    variances, axes = np.linalg.eigh(poses.covariance_px2[known])
    variances = np.maximum(variances, 0.0)  # below by rounding, or where not symmetric
    angles_deg = np.rad2deg(np.arctan2(axes[:, 1, 0], axes[:, 0, 0])).tolist()
    if not known.any():
        return
    colours = colours_bgr[:, _anatomy(poses.skeleton)[0]][known].tolist()
    centres_xy, reach_px = poses.keypoints_xy[known], RADII[-1] * np.sqrt(variances[:, 1:])
    low, high = (centres_xy - reach_px).min(axis=0), (centres_xy + reach_px).max(axis=0)
    with blended(canvas, (*low.tolist(), *high.tolist()), _ELLIPSE_OPACITY) as (ink, corner_xy):
        centres = fixed(centres_xy - corner_xy)
        for radius in RADII:
            halves = fixed(radius * np.sqrt(variances))
            for one in zip(centres, halves, angles_deg, colours, strict=True):
                centre, half, angle_deg, bgr = one
                cv2.ellipse(ink, centre, half, angle_deg, 0, 360, bgr, 1, cv2.LINE_AA, SHIFT)


@lru_cache(maxsize=512)
def _plate(track_id: int, tall_px: int) -> tuple[ImageBgr, NDArray[np.uint16]]:
    """An id on a small plate, and how much of what lies below is seen, in 256ths."""
    text, text_px = str(track_id), 1.3 * tall_px
    half = text_width_px(text, text_px) / 2
    span = round(max(0.0, half - 0.55 * tall_px))
    plate = np.zeros((2 * tall_px + 3, 2 * (span + tall_px) + 3), dtype=np.uint8)
    ink = np.zeros((*plate.shape, 3), dtype=np.uint8)
    y, x = plate.shape[0] // 2, plate.shape[1] // 2
    cv2.line(plate, (x - span, y), (x + span, y), 255, 2 * tall_px, cv2.LINE_AA)
    put_text(ink, text, (x - half, y + 0.38 * text_px), text_px, (255.0, 255.0, 255.0))
    on_plate, below = ink[..., 0] / 255.0, 1.0 - plate / 255.0
    colour_bgr = track_colours_bgr(track_id)[CENTRE]
    plate_bgr = colour_bgr + on_plate[..., None] * (_ID_BGR - colour_bgr)
    kept = np.rint(256.0 * below * (1.0 - on_plate))
    return np.rint(plate_bgr).astype(np.uint8), kept.astype(np.uint16)
