"""Skeletons on an image: limbs, joints, ids, and if wanted boxes and uncertainty.

A limb is as opaque as its ends are sure, as wide as the person is big, and coloured by track and
by side of the body; far people are painted before near ones.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.drawing._kernels import paint_capsules
from livepose.drawing.canvas import (
    SHIFT,
    blended,
    fixed,
    on_canvas,
    put_text,
    text_width_px,
)
from livepose.drawing.palette import CENTRE, LEFT, RIGHT, track_colours_bgr
from livepose.frame import ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.skeletons import Skeleton
from livepose.weights.calibration import RADII

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

_FACE = ("nose", "eye", "ear")
_SURE = 0.7  # score from which on a keypoint is painted in full
_FAINTEST, _STRONGEST = 0.22, 0.95
_PREDICTED = 0.45  # how opaque a keypoint is that is only predicted, against one that is seen
_LIMB_SHADE, _JOINT_LIGHT = 0.86, 0.35  # limbs are darker than the track's colour, joints lighter
_FACE_LIMB, _FACE_JOINT, _JOINT = 0.42, 0.8, 1.5  # over the radius of a limb
_ELLIPSE_OPACITY = 0.5
_LEAST_FOR_ID = 3  # keypoints that are seen: a number over an empty place looks like a ghost
_ID_BGR = (25.0, 20.0, 20.0)
_FAR_PX = 1e9


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
    with on_canvas(image_bgr) as canvas:
        if len(poses) and canvas.size:
            sizes_px = _sizes_px(poses)
            # Limbs grow slower than the person, and never blot out a small frame.
            most = max(0.9, 0.0095 * min(canvas.shape[:2]))
            radii_px = np.clip(0.075 * sizes_px**0.66, 0.8, most)
            opacity = _opacity(poses, score_threshold)
            colours_bgr = _colours_bgr(tuple(poses.track_ids.tolist()))
            far_first = np.argsort(sizes_px)
            if show_boxes:
                _draw_boxes(canvas, poses.boxes_xyxy, colours_bgr)
            # Smaller joints under ellipses, so that a sure point's small ellipse is seen.
            magnified = 0.6 if show_uncertainty else 1.0
            shapes = _capsules(poses, opacity, radii_px, colours_bgr, magnified)
            paint_capsules(canvas, shapes[far_first].reshape(-1, shapes.shape[2]))
            if show_uncertainty:
                _draw_ellipses(canvas, poses, opacity > 0, colours_bgr)
            for p in far_first[poses.track_ids[far_first] > 0] if show_ids else ():
                seen, face = opacity[p] > 0, _anatomy(poses.skeleton)[1]
                if seen.sum() >= _LEAST_FOR_ID:
                    head_xy = poses.keypoints_xy[p, seen & face if (seen & face).any() else seen]
                    lift_px, colour = 0.16 * sizes_px[p], colours_bgr[p, CENTRE]
                    _draw_id(canvas, poses.track_ids[p], head_xy, lift_px, radii_px[p], colour)
    return image_bgr


def warm_up() -> None:
    """Compiles what drawing needs, or loads it, so that the first image need not wait.

    The networks can be opened meanwhile.
    """
    paint_capsules(np.zeros((1, 1, 3), dtype=np.uint8), np.zeros((0, 12)))


@lru_cache(maxsize=16)
def _anatomy(skeleton: Skeleton) -> tuple[Rows, Flags, Rows, Rows, Flags]:
    """What drawing wants to know of a skeleton.

    Of K keypoints the side and whether they are of the face; of L limbs both ends (L, 2), and the
    same two.
    """
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


def _sizes_px(poses: Poses) -> Floats:
    """How big people are, (P,): root of the area of the box, or of the keypoints' own box."""
    boxes = np.clip(poses.boxes_xyxy, -_FAR_PX, _FAR_PX)
    sides = boxes[:, 2:] - boxes[:, :2]
    known = (sides > 0).all(axis=1, keepdims=True)
    if not known.all():
        xy = np.clip(poses.keypoints_xy, -_FAR_PX, _FAR_PX)
        high = np.where(np.isnan(xy), -_FAR_PX, xy).max(axis=1)
        low = np.where(np.isnan(xy), _FAR_PX, xy).min(axis=1)
        sides = np.where(known, sides, np.maximum(high - low, 0.0))
    return np.asarray(np.sqrt(sides.prod(axis=1)))


def _opacity(poses: Poses, score_threshold: float) -> Floats:
    """How opaque each keypoint is, (P, K): 0 where it is not to be painted."""
    scores = poses.keypoint_scores
    there = np.isfinite(poses.keypoints_xy).all(axis=2) & (scores >= score_threshold)
    sureness = (scores - score_threshold) / max(_SURE - score_threshold, 1e-6)
    opacity = _FAINTEST + (_STRONGEST - _FAINTEST) * np.clip(sureness, 0.0, 1.0)
    opacity[poses.keypoint_states == KeypointState.PREDICTED] *= _PREDICTED
    return np.where(there, opacity, 0.0)


def _capsules(
    poses: Poses, opacity: Floats, radii_px: Floats, colours_bgr: Floats, magnified: float
) -> Floats:
    """Limbs and above them joints as ``paint_capsules`` takes them, (P, L + K, 12)."""
    sides, face, ends, limb_sides, of_face = _anatomy(poses.skeleton)
    count = len(ends)
    shapes = np.empty((len(poses), count + len(sides), 12))
    limbs, joints = shapes[:, :count], shapes[:, count:]
    xy = np.where(opacity[..., None] > 0, np.clip(poses.keypoints_xy, -_FAR_PX, _FAR_PX), 0.0)
    radii = radii_px[:, None]
    shapes[..., 6] = np.minimum(2.0, 0.5 + 0.22 * radii)
    limbs[..., :2], limbs[..., 2:4] = xy[:, ends[:, 0]], xy[:, ends[:, 1]]
    limbs[..., 4] = np.where(of_face, _FACE_LIMB, 1.0) * radii
    limbs[..., 5] = 0.0
    both = opacity[:, ends]
    both = np.where(both.all(axis=2, keepdims=True), both, 0.0)
    limbs[..., 7:9] = both * np.where(of_face, 0.7, 1.0)[:, None]
    limbs[..., 9:] = _LIMB_SHADE * colours_bgr[:, limb_sides]
    joints[..., :2] = joints[..., 2:4] = xy
    joints[..., 4] = magnified * np.where(face, _FACE_JOINT, _JOINT) * radii + 0.3
    joints[..., 5] = 0.0
    joints[..., 7] = joints[..., 8] = opacity
    joints[..., 9:] = colours_bgr[:, sides] * (1 - _JOINT_LIGHT) + 255 * _JOINT_LIGHT
    hollow = poses.keypoint_states == KeypointState.PREDICTED  # rings: nobody saw them
    joints[hollow, 5] = joints[hollow, 4]
    joints[hollow, 4], joints[hollow, 6] = 0.6, 0.0
    joints[hollow, 7:9] = np.where(joints[hollow, 7:9] > 0, 0.8, 0.0)
    return shapes


def _draw_boxes(canvas: ImageBgr, boxes_xyxy: Floats, colours_bgr: Floats) -> None:
    # The edge 0 of a box lies half a pixel left of the first pixel's centre.
    for box, colours in zip(np.rint(boxes_xyxy - 0.5), colours_bgr, strict=True):
        if np.isfinite(box).all():
            low, high = fixed(box.reshape(2, 2))
            cv2.rectangle(canvas, low, high, colours[CENTRE].tolist(), 1, cv2.LINE_8, SHIFT)


def _draw_ellipses(canvas: ImageBgr, poses: Poses, there: Flags, colours_bgr: Floats) -> None:
    """One wider than the image says nothing and is left out."""
    most = float(max(canvas.shape)) ** 2
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


def _draw_id(
    canvas: ImageBgr,
    track_id: int,
    head_xy: Floats,
    lift_px: float,
    radius_px: float,
    colour_bgr: Floats,
) -> None:
    """A small plate with the id above the head, kept inside the image."""
    height, width = canvas.shape[:2]
    tall = min(max(7.0, 3.0 * radius_px), 0.05 * height)
    if tall < 5.0:
        return
    # Letters of whole pixels, so that their widths are remembered while people come nearer.
    text, radius, text_px = str(track_id), round(tall), float(round(1.3 * tall))
    half = text_width_px(text, text_px) / 2
    span = round(max(0.0, half - 0.4 * tall))
    x, top = head_xy[:, 0].mean(), head_xy[:, 1].min() - max(lift_px, 2.5 * tall)
    x = round(min(max(x, span + radius), width - 1 - span - radius))
    y = round(min(max(top - radius, radius + 1), height - 1 - radius))
    colour = colour_bgr.tolist()
    cv2.line(canvas, (x - span, y), (x + span, y), colour, 2 * radius, cv2.LINE_AA)
    put_text(canvas, text, (x - half, y + 0.38 * text_px), text_px, _ID_BGR)
