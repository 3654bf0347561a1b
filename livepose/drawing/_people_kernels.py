"""The kernel that paints people: all of them in one call.

After the networks ran, nothing of Python or NumPy is left in the processor's caches, and a
few dozen calls for each person took longer than the painting itself. What a person is made of is
listed first and then painted, so that each kind of shape is painted in one place: the compiler
copies the painting into each place that it is called from, and takes seconds for each.

``points`` (K, 4) are a person ready to be painted: x, y, opacity (0: not painted), and whether
hollow. ``measures`` are the size of the person, the radius of the limbs and their rim, in px.
``keypoints`` (K, 2) say side and face of each, ``limbs`` (L, 4) both ends, side and face. A
``person`` is points, measures, colours (3, 3) of the sides, and keypoints.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.drawing._kernels import (
    ELLIPSE,
    PANEL,
    Colour,
    Shapes,
    add,
    add_capsule,
    paint_list,
    room_for,
    scratch_for,
)
from livepose.drawing.digits import STEP, WIDTH, strokes
from livepose.drawing.palette import CENTRE
from livepose.frame import ImageBgr
from livepose.poses.states import KeypointState
from livepose.weights.calibration import RADII

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Measures = tuple[float, float, float]
Person = tuple[Floats, Measures, Floats, Rows]
People = tuple[Rows, Floats, Floats, NDArray[np.uint8], Floats, Floats]

PREDICTED = int(KeypointState.PREDICTED)
_SURE = 0.7  # score from which on a keypoint is painted in full.
_FAINTEST, _STRONGEST = 0.22, 0.95
_LIMB_SHADE, _JOINT_LIGHT = 0.86, 0.35
_PREDICTED_SHADE = 0.45  # a keypoint that is only predicted is fainter by that, and hollow.
_ELLIPSES = (
    (RADII[0], 0.9, 0.16),
    (RADII[1], 0.4, 0.0),
)  # Sigmas, and the opacity of line and body, of the ellipses that hold 39 and 86 % of errors.
_LEAST_FOR_ID = (
    3  # Keypoints that must be seen before a number is: one over an empty place looks like a ghost.
)
_STROKES, _BEGINS = strokes()
_MOST_FOR_ID = 5 + 19 * int(
    np.diff(_BEGINS).max()
)  # Shapes of a box, a plate and the longest number there is.
_NUMBER_BGR = (25.0, 20.0, 20.0)
_FAR_PX = 1e9


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
        x, y = keypoints_xy[k, 0], keypoints_xy[k, 1]
        if math.isfinite(x + y):
            left, right = min(left, _within(x)), max(right, _within(x))
            top, bottom = min(top, _within(y)), max(bottom, _within(y))
    return math.sqrt(max(0.0, right - left) * max(0.0, bottom - top))


@njit(cache=True, nogil=True, error_model="numpy")
def _measure(size_px: float, height: int, width: int) -> Measures:
    """Limbs grow slower than the person, and never blot out a small frame."""
    most = max(0.9, 0.0095 * min(height, width))
    radius_px = min(most, max(0.8, 0.075 * math.pow(size_px, 0.66)))
    return size_px, radius_px, min(2.0, 0.5 + 0.22 * radius_px)


@njit(cache=True, nogil=True, error_model="numpy")
def _ready(
    keypoints_xy: Floats,
    scores: Floats,
    states: NDArray[np.uint8],
    score_threshold: float,
    points: Floats,
) -> None:
    for k in range(len(scores)):
        x, y, score = keypoints_xy[k, 0], keypoints_xy[k, 1], scores[k]
        points[k, 2] = 0.0
        if not (math.isfinite(x) and math.isfinite(y) and score >= score_threshold):
            continue
        sureness = (score - score_threshold) / max(_SURE - score_threshold, 1e-6)
        opacity = _FAINTEST + (_STRONGEST - _FAINTEST) * min(1.0, max(0.0, sureness))
        hollow = states[k] == PREDICTED
        points[k, 0], points[k, 1] = _within(x), _within(y)
        points[k, 2] = opacity * _PREDICTED_SHADE if hollow else opacity
        points[k, 3] = 1.0 if hollow else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _colour(colours_bgr: Floats, side: int, shade: float, light: float) -> Colour:
    """That of one side of the person, darkened to ``shade`` and then moved towards white."""
    keep, white = shade * (1.0 - light), 255.0 * light
    return (
        keep * colours_bgr[side, 0] + white,
        keep * colours_bgr[side, 1] + white,
        keep * colours_bgr[side, 2] + white,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _list_box(shapes: Shapes, box_xyxy: Floats, radius_px: float, colour: Colour) -> None:
    if not np.isfinite(box_xyxy).all():
        return
    # Edges to pixel centres: the edge 0 of a box lies half a pixel left of the first centre.
    left, top = _within(box_xyxy[0]) - 0.5, _within(box_xyxy[1]) - 0.5
    right, bottom = _within(box_xyxy[2]) - 0.5, _within(box_xyxy[3]) - 0.5
    xs, ys = (left, right, right, left, left), (top, top, bottom, bottom, top)
    widths = max(0.5, 0.25 * radius_px), 0.0
    for n in range(4):
        add_capsule(shapes, (xs[n], ys[n]), (xs[n + 1], ys[n + 1]), widths, (0.7, 0.7), colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _list_limbs(shapes: Shapes, person: Person, limbs: Rows) -> None:
    points, measures, colours_bgr, _ = person
    for n in range(len(limbs)):
        a, b = limbs[n, 0], limbs[n, 1]
        if points[a, 2] == 0.0 or points[b, 2] == 0.0:
            continue
        thickness, shade = (0.42, 0.7) if limbs[n, 3] else (1.0, 1.0)
        start, end = (points[a, 0], points[a, 1]), (points[b, 0], points[b, 1])
        widths = thickness * measures[1], measures[2]
        opacities = shade * points[a, 2], shade * points[b, 2]
        colour = _colour(colours_bgr, limbs[n, 2], _LIMB_SHADE, 0.0)
        add_capsule(shapes, start, end, widths, opacities, colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _list_uncertainty(
    shapes: Shapes, person: Person, covariance_px2: Floats, longest_px: float
) -> None:
    points, measures, colours_bgr, keypoints = person
    # An ellipse wider than the picture says nothing, and would be painted at great cost.
    most = longest_px * longest_px
    for k in range(len(points)):
        xx, xy, yy = covariance_px2[k, 0, 0], covariance_px2[k, 0, 1], covariance_px2[k, 1, 1]
        opacity = points[k, 2]
        if opacity > 0.0 and xx > 0.0 and xx * yy - xy * xy > 1e-9 and max(xx, yy) < most:
            centre, half_width_px = (points[k, 0], points[k, 1]), max(0.5, 0.22 * measures[1])
            colour = _colour(colours_bgr, keypoints[k, 0], 1.0, 0.0)
            for radius, line, body in _ELLIPSES:
                spread = radius * radius * xx, radius * radius * xy, radius * radius * yy
                opacities = line * opacity, body * opacity
                add(shapes, ELLIPSE, (*centre, *spread), (half_width_px, 0.0), opacities, colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _list_joints(shapes: Shapes, person: Person, magnified: float) -> None:
    """Discs, and above them the rings of those whom nobody saw."""
    points, measures, colours_bgr, keypoints = person
    for hollow in (0.0, 1.0):
        for k in range(len(points)):
            if points[k, 2] == 0.0 or points[k, 3] != hollow:
                continue
            thickness = 0.8 if keypoints[k, 1] else 1.5
            radius = magnified * thickness * measures[1] + 0.3
            colour = _colour(colours_bgr, keypoints[k, 0], 1.0, _JOINT_LIGHT)
            at = points[k, 0], points[k, 1]
            if hollow:
                round_px2 = radius * radius, 0.0, radius * radius
                add(shapes, ELLIPSE, (*at, *round_px2), (0.6, 0.0), (0.8, 0.0), colour)
            else:
                both = points[k, 2], points[k, 2]
                add_capsule(shapes, at, at, (radius, measures[2]), both, colour)


@njit(cache=True, nogil=True, error_model="numpy")
def _list_number(shapes: Shapes, number: int, right: float, base: float, tall: float) -> None:
    """A number of digits ``tall`` high whose last one ends at ``right`` and stands on ``base``."""
    widths = max(0.55, 0.075 * tall), 0.0
    x = right - WIDTH * tall
    while True:
        digit, number = number % 10, number // 10
        for n in range(_BEGINS[digit], _BEGINS[digit + 1]):
            start = x + tall * _STROKES[n, 0], base - tall * _STROKES[n, 1]
            end = x + tall * _STROKES[n, 2], base - tall * _STROKES[n, 3]
            add_capsule(shapes, start, end, widths, (1.0, 1.0), _NUMBER_BGR)
        x -= STEP * tall
        if number == 0:
            return


@njit(cache=True, nogil=True, error_model="numpy")
def _list_id(
    shapes: Shapes,
    track_id: int,
    person: Person,
    colour: Colour,
    size_wh: tuple[int, int],
) -> None:
    """A small plate with the id above the head, kept inside the picture.

    Above the middle of the face; where no face is seen, above the topmost keypoint.
    """
    points, measures, _, keypoints = person
    width, height = size_wh
    tall = min(max(7.0, 3.0 * measures[1]), 0.05 * height)
    faces, seen, head_x, highest_x, top, face_top = 0, 0, 0.0, 0.0, _FAR_PX, _FAR_PX
    for k in range(len(points)):
        if points[k, 2] > 0.0:
            seen += 1
            if points[k, 1] < top:
                highest_x, top = points[k, 0], points[k, 1]
            if keypoints[k, 1]:
                faces, head_x = faces + 1, head_x + points[k, 0]
                face_top = min(face_top, points[k, 1])
    if tall < 5.0 or seen < _LEAST_FOR_ID:
        return
    head_x, top = (head_x / faces, face_top) if faces else (highest_x, top)
    digits, rest = 1, track_id // 10
    while rest:
        digits, rest = digits + 1, rest // 10
    pad = 0.55 * tall
    half = ((digits - 1) * STEP + WIDTH) * tall / 2.0 + pad
    x = min(max(half, width - 1.0 - half), max(half, head_x))
    bottom = min(height - 1.0, max(tall + 2.0 * pad, top - max(0.16 * measures[0], 2.5 * tall)))
    edges_px = x - half, bottom - tall - 2.0 * pad, x + half, bottom
    add(shapes, PANEL, (*edges_px, 0.0), (0.8 * tall, 0.0), (0.9, 0.0), colour)
    _list_number(shapes, track_id, x + half - pad, bottom - pad, tall)


@njit(cache=True, nogil=True, error_model="numpy")
def paint_people(
    image: ImageBgr,
    people: People,
    colours_bgr: Floats,
    anatomy: tuple[Rows, Rows],
    score_threshold: float,
    show: tuple[bool, bool, bool],
) -> None:
    """Paints P people into a picture, uint8 (H, W, 3) in C order: far ones before near ones.

    ``people`` are track ids, keypoints, scores, states, boxes and covariances as in ``Poses``;
    ``colours_bgr`` (P, 3, 3) are three for each person, as in ``palette``; ``anatomy`` is keypoints
    and limbs. ``show`` says whether boxes, ids and uncertainty are painted.
    """
    track_ids, keypoints_xy, scores, states, boxes_xyxy, covariance_px2 = people
    keypoints, limbs = anatomy
    show_boxes, show_ids, show_uncertainty = show
    height, width = image.shape[0], image.shape[1]
    scratch = scratch_for(width)
    shapes = room_for(len(limbs) + 3 * len(keypoints) + _MOST_FOR_ID)
    points = np.zeros((len(keypoints), 4))
    sizes_px = np.empty(len(track_ids))
    for p in range(len(track_ids)):
        sizes_px[p] = _size_px(boxes_xyxy[p], keypoints_xy[p])
    for _ in range(len(track_ids)):
        p = int(sizes_px.argmin())
        measures = _measure(sizes_px[p], height, width)
        person = points, measures, colours_bgr[p], keypoints
        sizes_px[p] = np.inf
        _ready(keypoints_xy[p], scores[p], states[p], score_threshold, points)
        middle = _colour(colours_bgr[p], np.int64(CENTRE), 1.0, 0.0)
        if show_boxes:
            _list_box(shapes, boxes_xyxy[p], measures[1], middle)
        _list_limbs(shapes, person, limbs)
        if show_uncertainty:
            _list_uncertainty(shapes, person, covariance_px2[p], float(max(height, width)))
        # Smaller joints under ellipses, so that a sure point's small ellipse is seen.
        _list_joints(shapes, person, 0.6 if show_uncertainty else 1.0)
        if show_ids and track_ids[p] > 0:
            _list_id(shapes, track_ids[p], person, middle, (width, height))
        paint_list(image, scratch, shapes)
