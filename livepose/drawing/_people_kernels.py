"""The kernel that paints people: all of them in one call.

After the networks ran, nothing of Python or NumPy is left in the processor's caches, and a
few dozen calls for each person took longer than the painting itself.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from livepose.drawing._capsule_kernels import Colour, Scratch, paint_capsule, scratch_for
from livepose.drawing._kernels import paint_ellipse, paint_panel
from livepose.drawing.digits import STEP, WIDTH, strokes
from livepose.drawing.palette import CENTRE
from livepose.frame import ImageBgr
from livepose.poses.states import KeypointState

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PREDICTED = int(KeypointState.PREDICTED)
_SURE = 0.7
"""Score from which on a keypoint is painted in full."""
_FAINTEST, _STRONGEST = 0.22, 0.95
_LIMB_SHADE, _JOINT_LIGHT = 0.86, 0.35
_PREDICTED_SHADE = 0.45
"""A keypoint that is only predicted is fainter by that, and hollow."""
_LEAST_FOR_ID = 3
"""Keypoints that must be seen before a number is: one over an empty place looks like a ghost."""
_NUMBER_BGR = (25.0, 20.0, 20.0)
_STROKES, _BEGINS = strokes()
_FAR_PX = 1e9


class Anatomy(NamedTuple):
    """What drawing wants to know of a skeleton: sides and face, of keypoints and limbs."""

    sides: NDArray[np.int64]
    face: Flags
    limbs: NDArray[np.int64]
    limb_sides: NDArray[np.int64]
    limb_face: Flags


class People(NamedTuple):
    """Arrays of ``Poses``, and three colours of each person, (P, 3, 3)."""

    track_ids: NDArray[np.int64]
    keypoints_xy: Floats
    keypoint_scores: Floats
    keypoint_states: NDArray[np.uint8]
    boxes_xyxy: Floats
    covariance_px2: Floats
    colours_bgr: Floats


class Style(NamedTuple):
    """What is painted."""

    score_threshold: float
    boxes: bool
    ids: bool
    uncertainty: bool


class _Person(NamedTuple):
    """One person ready to be painted: where, how opaque, and how thick."""

    xy: Floats
    opacities: Floats  # 0: not painted
    hollow: Flags
    colours_bgr: Floats
    size_px: float
    limb_radius_px: float
    rim_px: float


@njit(cache=True, nogil=True, error_model="numpy")
def _within(value: float) -> float:
    return min(_FAR_PX, max(-_FAR_PX, value))


@njit(cache=True, nogil=True, error_model="numpy")
def _size_px(box_xyxy: Floats, keypoints_xy: Floats) -> float:
    """How big a person is: root of the area of the box, or of the keypoints' own box."""
    wide = _within(box_xyxy[2]) - _within(box_xyxy[0])
    tall = _within(box_xyxy[3]) - _within(box_xyxy[1])
    if wide > 0.0 and tall > 0.0:
        return math.sqrt(wide * tall)
    left = top = _FAR_PX
    right = bottom = -_FAR_PX
    for k in range(len(keypoints_xy)):
        x, y = keypoints_xy[k]
        if math.isfinite(x) and math.isfinite(y):
            left, right = min(left, _within(x)), max(right, _within(x))
            top, bottom = min(top, _within(y)), max(bottom, _within(y))
    return math.sqrt(max(0.0, right - left) * max(0.0, bottom - top))


@njit(cache=True, nogil=True, error_model="numpy")
def _limb_radius_px(size_px: float, frame_hw: tuple[int, int]) -> float:
    """Half the width of a limb: grows slower than the person, and never blots out a small frame."""
    most = max(0.9, 0.0095 * min(frame_hw[0], frame_hw[1]))
    return min(most, max(0.8, 0.075 * math.pow(size_px, 0.66)))


@njit(cache=True, nogil=True, error_model="numpy")
def _ready(
    people: People, p: int, size_px: float, frame_hw: tuple[int, int], score_threshold: float
) -> _Person:
    keypoints = people.keypoint_scores.shape[1]
    xy, opacities = np.zeros((keypoints, 2)), np.zeros(keypoints)
    hollow = np.zeros(keypoints, np.bool_)
    for k in range(keypoints):
        x, y = people.keypoints_xy[p, k]
        score = people.keypoint_scores[p, k]
        if not (math.isfinite(x) and math.isfinite(y) and score >= score_threshold):
            continue
        sureness = (score - score_threshold) / max(_SURE - score_threshold, 1e-6)
        opacity = _FAINTEST + (_STRONGEST - _FAINTEST) * min(1.0, max(0.0, sureness))
        hollow[k] = people.keypoint_states[p, k] == PREDICTED
        xy[k, 0], xy[k, 1] = _within(x), _within(y)
        opacities[k] = opacity * _PREDICTED_SHADE if hollow[k] else opacity
    radius_px = _limb_radius_px(size_px, frame_hw)
    rim_px = min(2.0, 0.5 + 0.22 * radius_px)
    return _Person(xy, opacities, hollow, people.colours_bgr[p], size_px, radius_px, rim_px)


@njit(cache=True, nogil=True, error_model="numpy")
def _colour(person: _Person, side: int, shade: float, light: float) -> Colour:
    """That of one side of the person, darkened to ``shade`` and then moved towards white."""
    blue, green, red = person.colours_bgr[side]
    keep, white = shade * (1.0 - light), 255.0 * light
    return keep * blue + white, keep * green + white, keep * red + white


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_box(image: ImageBgr, scratch: Scratch, box_xyxy: Floats, person: _Person) -> None:
    if not np.isfinite(box_xyxy).all():
        return
    # Edges to pixel centres: the edge 0 of a box lies half a pixel left of the first centre.
    left, top = _within(box_xyxy[0]) - 0.5, _within(box_xyxy[1]) - 0.5
    right, bottom = _within(box_xyxy[2]) - 0.5, _within(box_xyxy[3]) - 0.5
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    widths = max(0.5, 0.25 * person.limb_radius_px), 0.0
    colour = _colour(person, CENTRE, 1.0, 0.0)
    for turn in range(4):
        ends = corners[turn], corners[(turn + 1) % 4]
        paint_capsule(image, scratch, ends[0], ends[1], widths, (0.7, 0.7), colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_limbs(image: ImageBgr, scratch: Scratch, person: _Person, anatomy: Anatomy) -> None:
    for n in range(len(anatomy.limbs)):
        a, b = anatomy.limbs[n]
        if person.opacities[a] == 0.0 or person.opacities[b] == 0.0:
            continue
        thickness, shade = (0.42, 0.7) if anatomy.limb_face[n] else (1.0, 1.0)
        paint_capsule(
            image,
            scratch,
            (person.xy[a, 0], person.xy[a, 1]),
            (person.xy[b, 0], person.xy[b, 1]),
            (thickness * person.limb_radius_px, person.rim_px),
            (shade * person.opacities[a], shade * person.opacities[b]),
            _colour(person, anatomy.limb_sides[n], _LIMB_SHADE, 0.0),
        )


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_uncertainty(
    image: ImageBgr, covariance_px2: Floats, person: _Person, anatomy: Anatomy
) -> None:
    # An ellipse wider than the picture says nothing, and would be painted at great cost.
    most = float(max(image.shape[0], image.shape[1])) ** 2
    half_width_px = max(0.5, 0.22 * person.limb_radius_px)
    for k in range(len(covariance_px2)):
        xx, xy, yy = covariance_px2[k, 0, 0], covariance_px2[k, 0, 1], covariance_px2[k, 1, 1]
        opacity = person.opacities[k]
        if opacity > 0.0 and xx > 0.0 and xx * yy - xy * xy > 1e-9 and max(xx, yy) < most:
            centre = person.xy[k, 0], person.xy[k, 1]
            colour = _colour(person, anatomy.sides[k], 1.0, 0.0)
            opacities = 0.9 * opacity, 0.16 * opacity
            paint_ellipse(image, centre, (xx, xy, yy), half_width_px, opacities, colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_joints(
    image: ImageBgr, scratch: Scratch, person: _Person, anatomy: Anatomy, magnified: float
) -> None:
    """Discs, and above them the rings of those whom nobody saw."""
    for rings in range(2):
        for k in range(len(person.opacities)):
            if person.opacities[k] == 0.0 or person.hollow[k] != (rings == 1):
                continue
            thickness = 0.8 if anatomy.face[k] else 1.5
            radius = magnified * thickness * person.limb_radius_px + 0.3
            colour = _colour(person, anatomy.sides[k], 1.0, _JOINT_LIGHT)
            at = person.xy[k, 0], person.xy[k, 1]
            if rings:
                round_px2 = radius * radius, 0.0, radius * radius
                paint_ellipse(image, at, round_px2, 0.6, (0.8, 0.0), colour)
            else:
                both = person.opacities[k], person.opacities[k]
                paint_capsule(image, scratch, at, at, (radius, person.rim_px), both, colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _head(person: _Person, anatomy: Anatomy) -> tuple[float, float, int]:
    """Middle and top of the face, and keypoints seen; the topmost where no face is seen."""
    x = face = 0.0
    top = y = highest_x = _FAR_PX
    seen = 0
    for k in range(len(person.opacities)):
        if person.opacities[k] > 0.0:
            seen += 1
            if person.xy[k, 1] < top:
                highest_x, top = person.xy[k]
            if anatomy.face[k]:
                face += 1.0
                x, y = x + person.xy[k, 0], min(y, person.xy[k, 1])
    return (x / face, y, seen) if face else (highest_x, top, seen)


@njit(cache=True, nogil=True, error_model="numpy")
def _digits(number: int) -> int:
    count = 1
    while number >= 10:
        number //= 10
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_number(
    image: ImageBgr, scratch: Scratch, number: int, left: float, base: float, tall: float
) -> None:
    """A number of digits ``tall`` high that starts at ``left`` and stands on ``base``."""
    widths = max(0.55, 0.075 * tall), 0.0
    for place in range(_digits(number) - 1, -1, -1):
        digit, number = number % 10, number // 10
        x = left + place * STEP * tall
        for n in range(_BEGINS[digit], _BEGINS[digit + 1]):
            start = x + tall * _STROKES[n, 0], base - tall * _STROKES[n, 1]
            end = x + tall * _STROKES[n, 2], base - tall * _STROKES[n, 3]
            paint_capsule(image, scratch, start, end, widths, (1.0, 1.0), _NUMBER_BGR)


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_id(
    image: ImageBgr, scratch: Scratch, track_id: int, person: _Person, anatomy: Anatomy
) -> None:
    """A small plate with the id above the head, kept inside the picture."""
    height, width = image.shape[0], image.shape[1]
    tall = min(max(7.0, 3.0 * person.limb_radius_px), 0.05 * height)
    head_x, head_y, seen = _head(person, anatomy)
    if tall < 5.0 or seen < _LEAST_FOR_ID:
        return
    pad = 0.55 * tall
    half = ((_digits(track_id) - 1) * STEP + WIDTH) * tall / 2.0 + pad
    x = min(max(half, width - 1.0 - half), max(half, head_x))
    bottom = head_y - max(0.16 * person.size_px, 2.5 * tall)
    bottom = min(height - 1.0, max(tall + 2.0 * pad, bottom))
    top = bottom - tall - 2.0 * pad
    blue, green, red = _colour(person, CENTRE, 1.0, 0.0)
    paint_panel(image, x - half, top, x + half, bottom, 0.8 * tall, 0.9, blue, green, red)
    _paint_number(image, scratch, track_id, x - half + pad, bottom - pad, tall)


@njit(cache=True, nogil=True, error_model="numpy")
def paint_people(image: ImageBgr, people: People, anatomy: Anatomy, style: Style) -> None:
    """Paints P people into a picture, uint8 (H, W, 3) in C order: far ones before near ones."""
    size_hw = image.shape[0], image.shape[1]
    scratch = scratch_for(size_hw[1])
    sizes_px = np.empty(len(people.track_ids))
    for p in range(len(sizes_px)):
        sizes_px[p] = _size_px(people.boxes_xyxy[p], people.keypoints_xy[p])
    order = np.argsort(sizes_px, kind="mergesort")
    for p in order:
        person = _ready(people, p, sizes_px[p], size_hw, style.score_threshold)
        if style.boxes:
            _paint_box(image, scratch, people.boxes_xyxy[p], person)
        _paint_limbs(image, scratch, person, anatomy)
        if style.uncertainty:
            _paint_uncertainty(image, people.covariance_px2[p], person, anatomy)
        # Smaller joints under ellipses, so that a sure point's small ellipse is seen.
        _paint_joints(image, scratch, person, anatomy, 0.6 if style.uncertainty else 1.0)
        if style.ids and people.track_ids[p] > 0:
            _paint_id(image, scratch, people.track_ids[p], person, anatomy)
