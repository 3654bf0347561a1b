"""Skeletons on a picture: limbs, joints, ids, and if wanted boxes and uncertainty.

A limb is as opaque as its ends are sure, as wide as the person is big, and coloured by track and
by side of the body; far people are painted before near ones.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livepose.drawing._kernels import paint_capsules, paint_ellipses, paint_panel
from livepose.drawing.canvas import on_canvas
from livepose.drawing.palette import CENTRE, LEFT, RIGHT, track_colours_bgr
from livepose.drawing.text import put_text, text_width_px
from livepose.frame import ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.skeletons import Skeleton

Floats = NDArray[np.float64]

_FACE = ("nose", "eye", "ear")
_SURE = 0.7
"""Score from which on a keypoint is painted in full."""
_FAINTEST, _STRONGEST = 0.22, 0.95
_LIMB_SHADE = 0.86
_PREDICTED_SHADE = 0.45
"""A keypoint that is only predicted is fainter by that, and hollow."""
_LEAST_FOR_ID = 3
"""Keypoints that must be seen before a number is: one over an empty place looks like a ghost."""
_FAR_PX = 1e9


@dataclass(frozen=True)
class _Anatomy:
    """What drawing wants to know of a skeleton: sides and face, of keypoints and limbs."""

    sides: NDArray[np.int64]
    face: NDArray[np.bool_]
    limbs: NDArray[np.int64]
    limb_sides: NDArray[np.int64]
    limb_face: NDArray[np.bool_]


@lru_cache(maxsize=16)
def _anatomy(skeleton: Skeleton) -> _Anatomy:
    sides = np.array([_side(name) for name in skeleton.keypoints], dtype=np.int64)
    face = np.array([name.split("_")[-1] in _FACE for name in skeleton.keypoints], dtype=bool)
    limbs = np.array(skeleton.limbs, dtype=np.int64).reshape(-1, 2)
    first, second = sides[limbs[:, 0]], sides[limbs[:, 1]]
    mixed = np.where(first == second, first, CENTRE)
    limb_sides = np.where(first == CENTRE, second, np.where(second == CENTRE, first, mixed))
    return _Anatomy(sides, face, limbs, limb_sides, face[limbs[:, 0]] | face[limbs[:, 1]])


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
    anatomy = _anatomy(poses.skeleton)
    sizes_px = _sizes_px(poses)
    with on_canvas(image_bgr) as canvas:
        for index in np.argsort(sizes_px, kind="stable"):
            person = _person(poses, int(index), float(sizes_px[index]), score_threshold, canvas)
            if show_boxes:
                _draw_box(canvas, poses.boxes_xyxy[index], person)
            _draw_limbs(canvas, person, anatomy)
            if show_uncertainty:
                _draw_uncertainty(canvas, poses.covariance_px2[index], person, anatomy)
            # Smaller joints under ellipses, so that a sure point's small ellipse is seen.
            _draw_joints(canvas, person, anatomy, 0.6 if show_uncertainty else 1.0)
            if show_ids and poses.track_ids[index] > 0 and person.shown.sum() >= _LEAST_FOR_ID:
                _draw_id(canvas, int(poses.track_ids[index]), person, anatomy)
    return image_bgr


@dataclass(frozen=True)
class _Person:
    """One person ready to be drawn: where, how opaque, which colours, how big."""

    xy: Floats
    shown: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    opacities: Floats
    colours_bgr: Floats
    size_px: float
    limb_radius_px: float
    rim_px: float


def _person(
    poses: Poses, index: int, size_px: float, score_threshold: float, canvas: ImageBgr
) -> _Person:
    xy, scores = poses.keypoints_xy[index], poses.keypoint_scores[index]
    shown = np.isfinite(xy).all(axis=1) & (scores >= score_threshold)
    sureness = np.clip((scores - score_threshold) / max(_SURE - score_threshold, 1e-6), 0.0, 1.0)
    predicted = poses.keypoint_states[index] == KeypointState.PREDICTED
    opacities = _FAINTEST + (_STRONGEST - _FAINTEST) * np.nan_to_num(sureness)
    track_id = int(poses.track_ids[index])
    limb_radius_px = _limb_radius_px(size_px, canvas)
    return _Person(
        xy=np.clip(xy, -_FAR_PX, _FAR_PX),
        shown=shown,
        predicted=predicted,
        opacities=np.where(predicted, _PREDICTED_SHADE, 1.0) * opacities,
        # People of a still picture have no track; there the order tells them apart.
        colours_bgr=track_colours_bgr(track_id if track_id > 0 else index + 1),
        size_px=size_px,
        limb_radius_px=limb_radius_px,
        rim_px=min(2.0, 0.5 + 0.22 * limb_radius_px),
    )


def _sizes_px(poses: Poses) -> Floats:
    """How big each person is, (P,): root of the area of the box, or of the keypoints' own box."""
    boxes_xyxy = np.clip(poses.boxes_xyxy, -_FAR_PX, _FAR_PX)
    return np.array(
        [_size_px(*pair) for pair in zip(boxes_xyxy, poses.keypoints_xy, strict=True)],
        dtype=np.float64,
    )


def _size_px(box_xyxy: Floats, keypoints_xy: Floats) -> float:
    wide, tall = box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1]
    if not (wide > 0 and tall > 0):
        seen = keypoints_xy[np.isfinite(keypoints_xy).all(axis=1)]
        seen = np.clip(seen, -_FAR_PX, _FAR_PX)
        wide, tall = np.ptp(seen, axis=0) if len(seen) else (0.0, 0.0)
    return math.sqrt(wide * tall)


def _limb_radius_px(size_px: float, canvas: ImageBgr) -> float:
    """Half the width of a limb: grows slower than the person, and never blots out a small frame."""
    most = max(0.9, 0.0095 * float(min(canvas.shape[:2])))
    return min(most, max(0.8, 0.075 * math.pow(size_px, 0.66)))


def _draw_limbs(canvas: ImageBgr, person: _Person, anatomy: _Anatomy) -> None:
    keep = person.shown[anatomy.limbs].all(axis=1)
    limbs, face = anatomy.limbs[keep], anatomy.limb_face[keep]
    radii = np.where(face, 0.42, 1.0) * person.limb_radius_px
    opacities = person.opacities[limbs] * np.where(face, 0.7, 1.0)[:, None]
    paint_capsules(
        canvas,
        np.ascontiguousarray(person.xy[limbs].reshape(-1, 4)),
        radii,
        np.full(len(limbs), person.rim_px),
        opacities,
        _LIMB_SHADE * person.colours_bgr[anatomy.limb_sides[keep]],
    )


def _draw_joints(canvas: ImageBgr, person: _Person, anatomy: _Anatomy, magnified: float) -> None:
    radii = magnified * np.where(anatomy.face, 0.8, 1.5) * person.limb_radius_px + 0.3
    colours = person.colours_bgr[anatomy.sides]
    colours = colours + 0.35 * (255.0 - colours)
    solid, hollow = person.shown & ~person.predicted, person.shown & person.predicted
    paint_capsules(
        canvas,
        np.concatenate([person.xy[solid], person.xy[solid]], axis=1),
        radii[solid],
        np.full(int(solid.sum()), person.rim_px),
        np.repeat(person.opacities[solid, None], 2, axis=1),
        colours[solid],
    )
    if hollow.any():
        _draw_rings(canvas, person.xy[hollow], radii[hollow], colours[hollow])


def _draw_rings(canvas: ImageBgr, xy: Floats, radii_px: Floats, colours_bgr: Floats) -> None:
    """Hollow joints: nobody saw them."""
    paint_ellipses(
        canvas,
        np.ascontiguousarray(xy),
        radii_px[:, None, None] ** 2 * np.eye(2),
        0.6,
        np.full(len(xy), 0.8),
        np.zeros(len(xy)),
        colours_bgr,
    )


def _draw_uncertainty(
    canvas: ImageBgr, covariance_px2: Floats, person: _Person, anatomy: _Anatomy
) -> None:
    xx, xy, yy = covariance_px2[:, 0, 0], covariance_px2[:, 0, 1], covariance_px2[:, 1, 1]
    with np.errstate(invalid="ignore", over="ignore"):
        # An ellipse wider than the picture says nothing, and would be painted at great cost.
        fits = np.maximum(xx, yy) < float(max(canvas.shape[:2])) ** 2
        keep = person.shown & (xx > 0) & (xx * yy - xy * xy > 1e-9) & fits
    paint_ellipses(
        canvas,
        np.ascontiguousarray(person.xy[keep]),
        np.ascontiguousarray(covariance_px2[keep]),
        max(0.5, 0.22 * person.limb_radius_px),
        0.9 * person.opacities[keep],
        0.16 * person.opacities[keep],
        person.colours_bgr[anatomy.sides[keep]],
    )


def _draw_box(canvas: ImageBgr, box_xyxy: Floats, person: _Person) -> None:
    if not np.isfinite(box_xyxy).all():
        return
    # Edges to pixel centres: the edge 0 of a box lies half a pixel left of the first centre.
    left, top, right, bottom = np.clip(box_xyxy, -_FAR_PX, _FAR_PX) - 0.5
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    sides = [(*corners[turn], *corners[(turn + 1) % 4]) for turn in range(4)]
    paint_capsules(
        canvas,
        np.array(sides, dtype=np.float64),
        np.full(4, max(0.5, 0.25 * person.limb_radius_px)),
        np.full(4, 0.0),
        np.full((4, 2), 0.7),
        np.repeat(person.colours_bgr[CENTRE : CENTRE + 1], 4, axis=0),
    )


def _draw_id(canvas: ImageBgr, track_id: int, person: _Person, anatomy: _Anatomy) -> None:
    """A small plate with the id above the head, kept inside the picture."""
    if not person.shown.any():
        return
    height, width = canvas.shape[:2]
    tall = min(max(7.0, 3.0 * person.limb_radius_px), 0.05 * height)
    if tall < 5.0:
        return
    text = str(track_id)
    wide, pad = text_width_px(text, tall), 0.55 * tall
    head_x, head_y = _head_xy(person, anatomy)
    half = wide / 2 + pad
    x = float(np.clip(head_x, half, max(half, width - 1 - half)))
    bottom = head_y - max(0.16 * person.size_px, 2.5 * tall)
    bottom = float(np.clip(bottom, tall + 2 * pad, height - 1))
    top = bottom - tall - 2 * pad
    blue, green, red = (float(value) for value in person.colours_bgr[CENTRE])
    paint_panel(canvas, x - half, top, x + half, bottom, 0.8 * tall, 0.9, blue, green, red)
    put_text(canvas, text, (x - wide / 2, bottom - pad), tall, (25.0, 20.0, 20.0))


def _head_xy(person: _Person, anatomy: _Anatomy) -> tuple[float, float]:
    """Middle and top of the face; the topmost keypoint where no face is seen."""
    face_xy = person.xy[person.shown & anatomy.face]
    if len(face_xy):
        return float(face_xy[:, 0].mean()), float(face_xy[:, 1].min())
    seen_xy = person.xy[person.shown]
    x, y = seen_xy[np.argmin(seen_xy[:, 1])]
    return float(x), float(y)
