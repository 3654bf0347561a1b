"""Kernels of drawing: people become capsules, lines with round ends and a dark rim, then paint.

After the networks ran, the processor's caches are empty: one call that lists what people are made
of takes a fifth of what the same takes in NumPy.

OpenCV's lines have whole widths and one opacity; capsules have any, and an opacity at either end. A
pixel is covered by as much as the shape's edge reaches over its centre, so that edges are smooth,
positions are sub-pixel, and an end a mile outside the image is as harmless as one inside.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import kernel, njit
from livepose.frame import ImageBgr
from livepose.poses import KeypointState

Levels = NDArray[np.float32]
Steps = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]
Anatomy = tuple[Rows, Flags, Rows, Rows, Flags]
"""Of K keypoints the side and whether they are of the face; of L limbs both ends (L, 2) and the
same two."""

_SURE = 0.7  # score from which on a keypoint is painted in full
_FAINTEST, _STRONGEST = 0.22, 0.95
_PREDICTED = int(KeypointState.PREDICTED)
_PREDICTED_LIMB, _PREDICTED_JOINT = 0.45, 0.8  # opacity: over a seen one's, and of rings
_LIMB_SHADE, _JOINT_LIGHT = 0.86, 0.35  # limbs are darker than the track's colour, joints lighter
_FACE_LIMB, _FACE_JOINT, _JOINT = 0.42, 0.8, 1.5  # over the radius of a limb
_FACE_OPACITY = 0.7
_LEAST_FOR_LABEL = 3  # keypoints that are seen: a number over an empty place looks like a ghost
_RIM_OPACITY, _RIM_LIGHT = 0.75, 0.1  # against the fill's opacity and colour
_FAR_PX = 1e9
_BLOCK = 4096  # pixels that are worked out together, at most, beside those of one row

_fast = njit(nogil=True, error_model="numpy", fastmath=True)
_ZERO, _HALF, _ONE, _STEPS = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(256.0)


@kernel
def paint_people(
    image_bgr: ImageBgr,
    people: tuple[Floats, Floats, NDArray[np.uint8], Floats],
    colours_bgr: Floats,
    anatomy: Anatomy,
    score_threshold: float,
    magnified: float,
) -> Floats:
    """Paints P people into an image, and says where their labels belong, (P, 4).

    ``people`` are keypoints, scores, states and boxes as in ``Poses``, ``colours_bgr`` (P, 3, 3)
    those of the sides; joints are ``magnified``. Limbs come before joints and far people before
    near ones. A label is the person's row, the place over the head where its foot belongs (x, y),
    and the height of its letters, 0 where there is none.
    """
    shorter_px = min(image_bgr.shape[0], image_bgr.shape[1])
    all_xy, scores, states, boxes_xyxy = people
    count, limbs, keypoints = len(scores), len(anatomy[2]), len(anatomy[0])
    shapes, labels = np.zeros((count, limbs + keypoints, 12)), np.zeros((count, 4))
    sizes_px, opacity = np.zeros(count), np.zeros(keypoints)
    for p in range(count):
        sizes_px[p] = _size_px(boxes_xyxy[p], all_xy[p])
    for rank, p in enumerate(np.argsort(sizes_px, kind="mergesort")):
        # Limbs grow slower than the person, and never blot out a small frame.
        most = max(0.9, 0.0095 * shorter_px)
        radius_px = min(most, max(0.8, 0.075 * sizes_px[p] ** 0.66))
        xy = np.minimum(np.maximum(all_xy[p], -_FAR_PX), _FAR_PX)
        for k in range(keypoints):
            opacity[k] = _opacity(all_xy[p, k], scores[p, k], states[p, k], score_threshold)
        shapes[rank, :, 6] = min(2.0, 0.5 + 0.22 * radius_px)
        _add_limbs(shapes[rank, :limbs], xy, opacity, radius_px, colours_bgr[p], anatomy)
        joints, predicted = shapes[rank, limbs:], states[p] == _PREDICTED
        thick_px = magnified * radius_px
        _add_joints(joints, xy, opacity, predicted, thick_px, colours_bgr[p], anatomy)
        tall_px = min(max(7.0, 3.0 * radius_px), 0.05 * shorter_px)
        labels[rank, 0] = p
        _place_label(labels[rank], xy, opacity, anatomy[1], tall_px, sizes_px[p])
    paint_capsules(image_bgr, shapes.reshape(-1, shapes.shape[2]))
    return labels


@kernel
def _within(value: float) -> float:
    return min(_FAR_PX, max(-_FAR_PX, value))


@kernel
def _size_px(box_xyxy: Floats, keypoints_xy: Floats) -> float:
    """How big a person is: root of the area of the box, or of the keypoints' own box."""
    sides = np.zeros(2)
    for axis in range(2):
        sides[axis] = _within(box_xyxy[2 + axis]) - _within(box_xyxy[axis])
    if not (sides > 0.0).all():
        for axis in range(2):
            values = keypoints_xy[:, axis]
            sides[axis] = max(0.0, _within(np.nanmax(values)) - _within(np.nanmin(values)))
    return math.sqrt(sides[0] * sides[1])


@kernel
def _opacity(xy: Floats, score: float, state: int, score_threshold: float) -> float:
    """How opaque a limb is at this keypoint; 0 where it is not to be painted."""
    if not (math.isfinite(xy[0]) and math.isfinite(xy[1]) and score >= score_threshold):
        return 0.0
    sureness = min(1.0, (score - score_threshold) / max(_SURE - score_threshold, 1e-6))
    opacity = _FAINTEST + (_STRONGEST - _FAINTEST) * sureness
    return opacity * _PREDICTED_LIMB if state == _PREDICTED else opacity


@kernel
def _add_limbs(
    shapes: Floats,
    xy: Floats,
    opacity: Floats,
    radius_px: float,
    colours_bgr: Floats,
    anatomy: Anatomy,
) -> None:
    _, _, ends, sides, face = anatomy
    for n in range(len(ends)):
        first, second, shape = ends[n, 0], ends[n, 1], shapes[n]
        if opacity[first] > 0.0 and opacity[second] > 0.0:
            shape[0:2], shape[2:4] = xy[first], xy[second]
            shape[4] = (_FACE_LIMB if face[n] else 1.0) * radius_px
            fainter = _FACE_OPACITY if face[n] else 1.0
            shape[7], shape[8] = fainter * opacity[first], fainter * opacity[second]
            shape[9:] = _LIMB_SHADE * colours_bgr[sides[n]]


@kernel
def _add_joints(
    shapes: Floats,
    xy: Floats,
    opacity: Floats,
    predicted: Flags,
    radius_px: float,
    colours_bgr: Floats,
    anatomy: Anatomy,
) -> None:
    sides, face, _, _, _ = anatomy
    for k in range(len(sides)):
        shape = shapes[k]
        if opacity[k] > 0.0:
            shape[0:2], shape[2:4] = xy[k], xy[k]
            shape[4] = (_FACE_JOINT if face[k] else _JOINT) * radius_px + 0.3
            shape[7:9] = opacity[k]
            shape[9:] = colours_bgr[sides[k]] * (1 - _JOINT_LIGHT) + 255 * _JOINT_LIGHT
            if predicted[k]:  # a ring: nobody saw it
                shape[4], shape[5], shape[6] = 0.6, shape[4], 0.0
                shape[7:9] = _PREDICTED_JOINT


@kernel
def _place_label(
    label: Floats, xy: Floats, opacity: Floats, face: Flags, tall_px: float, size_px: float
) -> None:
    seen = opacity > 0.0
    if seen.sum() >= _LEAST_FOR_LABEL and tall_px >= 5.0:
        head_xy = xy[seen & face] if (seen & face).any() else xy[seen]
        label[1] = head_xy[:, 0].mean()
        label[2] = head_xy[:, 1].min() - max(0.16 * size_px, 2.5 * tall_px)
        label[3] = tall_px


@_fast
def paint_capsules(image_bgr: ImageBgr, shapes: Floats) -> None:
    """Paints N capsules into an image, uint8 (H, W, 3) in C order, in place, the first one first.

    ``shapes`` (N, 12) are finite: start x, y, end x, y, radius, hole, width of the rim, opacity at
    the start and at the end, and blue, green, red in 0..255. One of no length is a disc, and with
    a hole a ring: the radius is then measured from a circle (or capsule) of that radius.

    The pixels near a capsule are listed, many rows at once, and then worked out together: rows of
    a limb are too short to make vectors of one by one.
    """
    height, width = image_bgr.shape[0], image_bgr.shape[1]
    most = _BLOCK + width
    places = np.empty(most, np.int64)
    right, down = np.empty(most, np.float32), np.empty(most, np.float32)
    keep, light = np.empty(most, np.int32), np.empty(most, np.int32)
    for n in range(len(shapes)):
        shape = shapes[n]
        ax, ay, bx, by, radius, hole, rim = shape[:7]
        if max(shape[7], shape[8]) <= 0.0:
            continue
        dx, dy, reach = bx - ax, by - ay, hole + radius + rim + 0.5
        low, high = max(0.0, min(ax, bx) - reach), min(width - 1.0, max(ax, bx) + reach)
        slanted = abs(dy) > 1e-3 * abs(dx)
        lean = dx / dy if slanted else 0.0
        half = reach * math.sqrt(1.0 + lean * lean)
        top = math.ceil(max(0.0, min(ay, by) - reach))
        bottom = math.floor(min(height - 1.0, max(ay, by) + reach))
        count = np.int64(0)
        for y in range(top, bottom + 1):
            middle = ax + (y - ay) * lean
            first = math.ceil(max(low, middle - half) if slanted else low)
            last = math.floor(min(high, middle + half) if slanted else high)
            start_x, start_y, row = np.float32(first - ax), np.float32(y - ay), y * width + first
            for i in range(last + 1 - first):
                right[count + i], down[count + i] = start_x + np.float32(i), start_y
                places[count + i] = row + i
            count += max(0, last + 1 - first)
            if count >= _BLOCK or y == bottom:
                _cover(shape, right[:count], down[:count], keep, light)
                _blend(image_bgr.reshape(-1), places[:count], keep, light, shape[9:])
                count = np.int64(0)


@_fast
def _cover(shape: Floats, right: Levels, down: Levels, keep: Steps, light: Steps) -> None:
    """How much of each pixel stays, and how much of the colour it gets, in 256ths.

    In single precision and without a branch, so that the compiler makes vectors of it.
    """
    dx, dy = np.float32(shape[2] - shape[0]), np.float32(shape[3] - shape[1])
    scale = _ONE / max(dx * dx + dy * dy, np.float32(1e-6))
    radius, hole, rim = np.float32(shape[4]), np.float32(shape[5]), np.float32(shape[6])
    faint, rise = np.float32(shape[7]), np.float32(shape[8] - shape[7])
    most, outer = min(_ONE, radius + radius), radius + _HALF
    rim_opacity, rim_light = np.float32(_RIM_OPACITY), np.float32(_RIM_LIGHT)
    for i in range(len(right)):
        along = min(_ONE, max(_ZERO, (right[i] * dx + down[i] * dy) * scale))
        qx, qy = right[i] - along * dx, down[i] - along * dy
        inside = outer - abs(np.sqrt(qx * qx + qy * qy) - hole)
        fill, opacity = max(_ZERO, min(most, inside)), faint + along * rise
        body = fill * opacity
        outline = rim_opacity * opacity * (max(_ZERO, min(_ONE, inside + rim)) - fill)
        outline = max(_ZERO, outline)
        # First the rim takes its share of the pixel, then the fill goes over it.
        keep[i] = np.int32(_STEPS * (_ONE - body) * (_ONE - outline) + _HALF)
        light[i] = np.int32(_STEPS * (body + rim_light * outline * (_ONE - body)) + _HALF)


@_fast
def _blend(
    levels: NDArray[np.uint8], places: Rows, keep: Steps, light: Steps, colour_bgr: Floats
) -> None:
    """In whole numbers, which is quicker."""
    blue, green, red = np.int32(colour_bgr[0]), np.int32(colour_bgr[1]), np.int32(colour_bgr[2])
    half, shift = np.int32(128), np.int32(8)
    for i in range(len(places)):
        # Unsigned, or numba would look at every place whether it counts from the end.
        first, old, new = np.uint64(3 * places[i]), keep[i], light[i]
        second, third = first + np.uint64(1), first + np.uint64(2)
        levels[first] = np.uint8((np.int32(levels[first]) * old + blue * new + half) >> shift)
        levels[second] = np.uint8((np.int32(levels[second]) * old + green * new + half) >> shift)
        levels[third] = np.uint8((np.int32(levels[third]) * old + red * new + half) >> shift)


@_fast
def paint_plate(
    image_bgr: ImageBgr, plate_bgr: ImageBgr, kept: NDArray[np.uint16], x: float, y: float
) -> None:
    """Puts a plate (h, w, 3) with its foot's middle at x, y, or as near as the image goes.

    ``kept`` (h, w) is how much of what lies below is seen, in 256ths.
    """
    (height, width), (tall, wide) = kept.shape, image_bgr.shape[:2]
    left = max(0, min(round(x - width / 2), wide - width))
    top = max(0, min(round(y - height), tall - height))
    for i in range(min(height, tall)):
        row, plate = image_bgr[top + i], plate_bgr[i]
        for j in range(min(width, wide)):
            keep = np.int32(kept[i, j])
            for colour in range(3):
                old, new = np.int32(row[left + j, colour]), np.int32(plate[j, colour])
                row[left + j, colour] = np.uint8((old * keep + new * (256 - keep) + 128) >> 8)


@_fast
def paint_cover(
    image_bgr: ImageBgr,
    cover: Steps,
    left: int,
    top: int,
    colour_bgr: tuple[float, float, float],
    right: int,
) -> None:
    """Paints what ``cover`` (h, w) covers, in 256ths, with one colour, up to a column."""
    tall, wide = image_bgr.shape[0], min(image_bgr.shape[1], right)
    for i in range(max(0, -top), min(cover.shape[0], tall - top)):
        row = image_bgr[top + i]
        for j in range(max(0, -left), min(cover.shape[1], wide - left)):
            part = cover[i, j]
            if part > 0:
                for n in range(3):
                    old, new = np.int32(row[left + j, n]), np.int32(colour_bgr[n])
                    row[left + j, n] = np.uint8((old * (256 - part) + new * part + 128) >> 8)
