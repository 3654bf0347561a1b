"""Kernels that paint capsules, ellipses and panels into a picture, blended in place.

Every shape is a distance: a pixel is covered by as much as the shape's edge reaches over its
centre. Pictures are uint8 (H, W, 3), C order; places are finite. Colours are in 0..255.

A capsule is a line with round ends and a dark rim. The pixels near one are first listed, row after
row; then what covers each is worked out for the whole list, in single precision and without a
branch, so that the compiler makes vectors of it; then they are blended. Rows of a limb are far too
short to be worth that one by one.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.frame import ImageBgr

Singles = NDArray[np.float32]
Integers = NDArray[np.int32]
Pair = tuple[float, float]
Colour = tuple[float, float, float]
Edges = tuple[float, float, float, float]
"""Left, top, right and bottom."""
Line = tuple[float, float, float, float, float]
"""Start x, y, step x, y to the end, and how far from the line a pixel may be."""
Pen = tuple[float, float, float, float, float]
"""Radius, width of the rim, highest share of the fill, opacity at the start, and its rise."""
Scratch = tuple[Singles, Singles, NDArray[np.int64], Integers, Integers]
"""The listed pixels: x, y from the start, place of their blue in the picture, kept, and light."""

_BLOCK = 4096  # pixels that are worked out together, at most, beside those of one row
_EDGE_OPACITY = np.float32(0.75)  # how dark the rim is, against the fill
_EDGE_LIGHT = np.float32(0.1)
_ZERO, _HALF, _ONE, _STEPS = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(256.0)
_SHORTEST2_PX = 1e-6  # a line shorter than the root of that is a disc, as opaque as its start

CAPSULE, ELLIPSE, PANEL = range(3)
SHAPE = np.dtype(
    [
        ("kind", np.int64),
        ("place", np.float64, 5),  # start and end; centre and covariance; or edges
        ("widths", np.float64, 2),
        ("opacities", np.float64, 2),
        ("colour", np.float64, 3),
    ]
)
Shapes = tuple[Any, NDArray[np.int64]]
"""A ``SHAPE`` for each shape, and how many there are, (1,)."""


# -- capsules ------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def scratch_for(width: int) -> Scratch:
    """Room for the pixels of pictures so wide, to be used for one capsule after the other."""
    most = _BLOCK + width
    return (
        np.empty(most, np.float32),
        np.empty(most, np.float32),
        np.empty(most, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _clip_axis(
    start: float, step: float, low: float, high: float, first: float, last: float
) -> Pair:
    """The part of first..last in which start + t * step lies in low..high (Liang and Barsky)."""
    if step == 0.0:
        return (first, last) if low <= start <= high else (1.0, 0.0)
    enter, leave = (low - start) / step, (high - start) / step
    if enter > leave:
        enter, leave = leave, enter
    return max(first, enter), min(last, leave)


@njit(cache=True, nogil=True, error_model="numpy")
def _cover(scratch: Scratch, count: int, line: Line, pen: Pen) -> None:
    """How much of each listed pixel stays, and how much of the colour comes, in 256ths."""
    xs, ys, _, keeps, lights = scratch
    dx, dy = np.float32(line[2]), np.float32(line[3])
    length2 = line[2] * line[2] + line[3] * line[3]
    scale = 1.0 / length2 if length2 > _SHORTEST2_PX else 0.0
    ux, uy = np.float32(line[2] * scale), np.float32(line[3] * scale)
    reach, edge, most = np.float32(pen[0] + 0.5), np.float32(pen[1]), np.float32(pen[2])
    faint, rise = np.float32(pen[3]), np.float32(pen[4])
    for i in range(count):
        along = min(_ONE, max(_ZERO, xs[i] * ux + ys[i] * uy))
        x, y = xs[i] - along * dx, ys[i] - along * dy
        inside = reach - math.sqrt(x * x + y * y)
        fill = max(_ZERO, min(most, inside))
        rim = max(_ZERO, min(_ONE, inside + edge) - fill)
        opacity = faint + along * rise
        body, outline = fill * opacity, _EDGE_OPACITY * rim * opacity
        # First the rim takes its share of the pixel, then the fill goes over it.
        keeps[i] = np.int32(_STEPS * (_ONE - body) * (_ONE - outline) + _HALF)
        lights[i] = np.int32(_STEPS * (body + _EDGE_LIGHT * outline * (_ONE - body)) + _HALF)


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(flat: NDArray[np.uint8], scratch: Scratch, count: int, colour_bgr: Colour) -> None:
    """The listed pixels moved towards a colour, in whole numbers."""
    _, _, places, keeps, lights = scratch
    blue, green, red = np.int32(colour_bgr[0]), np.int32(colour_bgr[1]), np.int32(colour_bgr[2])
    half, shift = np.int32(128), np.int32(8)
    for i in range(count):
        # Unsigned, or numba would look at every place whether it counts from the end.
        first = np.uint64(places[i])
        second, third = first + np.uint64(1), first + np.uint64(2)
        keep, light = keeps[i], lights[i]
        flat[first] = np.uint8((np.int32(flat[first]) * keep + blue * light + half) >> shift)
        flat[second] = np.uint8((np.int32(flat[second]) * keep + green * light + half) >> shift)
        flat[third] = np.uint8((np.int32(flat[third]) * keep + red * light + half) >> shift)


@njit(cache=True, nogil=True, error_model="numpy")
def _row_span(y: int, line: Line, width: int) -> tuple[int, int]:
    """First and last column of a row that may be near the line."""
    ax, ay, dx, dy, reach = line
    low, high = min(ax, ax + dx) - reach, max(ax, ax + dx) + reach
    if abs(dy) > 1e-3 * abs(dx):
        lean = dx / dy
        half = reach * math.sqrt(1.0 + lean * lean)
        middle = ax + (y - ay) * lean
        low, high = max(low, middle - half), min(high, middle + half)
    return max(0, math.ceil(low)), min(width - 1, math.floor(high))


@njit(cache=True, nogil=True, error_model="numpy")
def _paint(image: ImageBgr, scratch: Scratch, line: Line, pen: Pen, colour_bgr: Colour) -> None:
    """One capsule that lies in the picture or little beside it."""
    height, width = image.shape[0], image.shape[1]
    flat = image.reshape(-1)
    xs, ys, places, _, _ = scratch
    ax, ay, _, dy, reach = line
    start_x, start_y = np.float32(ax), np.float32(ay)
    top = max(0, math.ceil(min(ay, ay + dy) - reach))
    bottom = min(height - 1, math.floor(max(ay, ay + dy) + reach))
    count = np.int64(0)  # numba would compile the callees a second time for a literal 0
    for y in range(top, bottom + 1):
        left, right = _row_span(y, line, width)
        row, down = 3 * y * width, np.float32(y) - start_y
        for x in range(left, right + 1):
            xs[count], ys[count] = np.float32(x) - start_x, down
            places[count] = row + 3 * x
            count += 1
        if count >= _BLOCK or y == bottom:
            _cover(scratch, count, line, pen)
            _blend(flat, scratch, count, colour_bgr)
            count = np.int64(0)


@njit(cache=True, nogil=True, error_model="numpy")
def paint_capsule(
    image: ImageBgr,
    scratch: Scratch,
    start_xy: Pair,
    end_xy: Pair,
    widths_px: Pair,
    opacities: Pair,
    colour_bgr: Colour,
) -> None:
    """Paints a line with round ends and a dark rim. One of no length is a disc.

    ``widths_px`` are radius and width of the rim, ``opacities`` those at either end,
    ``colour_bgr`` is in 0..255; ``scratch`` is of ``scratch_for``. The picture is uint8
    (H, W, 3), C order; places are finite.
    """
    height, width = image.shape[0], image.shape[1]
    ax, ay = start_xy
    dx, dy = end_xy[0] - ax, end_xy[1] - ay
    radius, edge = widths_px
    reach = radius + edge + 2.0
    first, last = _clip_axis(ax, dx, -reach, width - 1.0 + reach, 0.0, 1.0)
    first, last = _clip_axis(ay, dy, -reach, height - 1.0 + reach, first, last)
    if first > last:
        return
    rise, part = opacities[1] - opacities[0], last - first
    line = ax + first * dx, ay + first * dy, part * dx, part * dy, radius + edge + 0.5
    pen = radius, edge, min(1.0, 2.0 * radius), opacities[0] + first * rise, part * rise
    _paint(image, scratch, line, pen, colour_bgr)


# -- ellipses and panels -------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _mix(image: ImageBgr, y: int, x: int, colour_bgr: Colour, opacity: float) -> None:
    """One pixel moved towards a colour, in whole numbers (twice as fast as in floats)."""
    share = int(opacity * 256.0 + 0.5)
    keep = 256 - share
    image[y, x, 0] = (image[y, x, 0] * keep + int(colour_bgr[0]) * share + 128) >> 8
    image[y, x, 1] = (image[y, x, 1] * keep + int(colour_bgr[1]) * share + 128) >> 8
    image[y, x, 2] = (image[y, x, 2] * keep + int(colour_bgr[2]) * share + 128) >> 8


@njit(cache=True, nogil=True)
def paint_ellipse(
    image: ImageBgr,
    centre_xy: Pair,
    covariance: tuple[float, float, float],
    half_width_px: float,
    opacities: Pair,
    colour_bgr: Colour,
) -> None:
    """Paints the ellipse of a covariance.

    ``covariance`` is xx, xy, yy of a positive definite one. ``opacities`` are those of the line
    and of what it encloses. The distance to the line is measured to first order, exact where it
    matters: on the line.
    """
    height, width = image.shape[0], image.shape[1]
    cx, cy = centre_xy
    xx, xy, yy = covariance
    det = xx * yy - xy * xy
    a, b, c = yy / det, -xy / det, xx / det
    wide, tall = math.sqrt(xx) + half_width_px + 1.0, math.sqrt(yy) + half_width_px + 1.0
    top, bottom = math.ceil(max(0.0, cy - tall)), math.floor(min(height - 1.0, cy + tall))
    left, right = math.ceil(max(0.0, cx - wide)), math.floor(min(width - 1.0, cx + wide))
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            px, py = x - cx, y - cy
            gx, gy = a * px + b * py, b * px + c * py
            radius2 = gx * px + gy * py
            # (radius - 1) / |gradient of radius|, with the radius cancelled where it is small
            radius = math.sqrt(max(radius2, 1e-12))
            steep = math.sqrt(gx * gx + gy * gy) / radius
            distance = (radius - 1.0) / max(steep, 1e-12)
            line = min(1.0, max(0.0, half_width_px - abs(distance) + 0.5))
            body = min(1.0, max(0.0, 0.5 - distance))
            opacity = max(line * opacities[0], body * opacities[1])
            if opacity > 0.0:
                _mix(image, y, x, colour_bgr, opacity)


@njit(cache=True, nogil=True)
def paint_panel(
    image: ImageBgr, edges_px: Edges, radius: float, opacity: float, colour_bgr: Colour
) -> None:
    """Paints a rectangle with round corners."""
    left, top, right, bottom = edges_px
    height, width = image.shape[0], image.shape[1]
    cx, cy = (left + right) / 2.0, (top + bottom) / 2.0
    inner_x, inner_y = (right - left) / 2.0 - radius, (bottom - top) / 2.0 - radius
    y_first, y_last = math.ceil(max(0.0, top - 1.0)), math.floor(min(height - 1.0, bottom + 1.0))
    x_first, x_last = math.ceil(max(0.0, left - 1.0)), math.floor(min(width - 1.0, right + 1.0))
    for y in range(y_first, y_last + 1):
        out_y = abs(y - cy) - inner_y
        for x in range(x_first, x_last + 1):
            out_x = abs(x - cx) - inner_x
            distance = max(out_x, out_y) - radius
            if out_x > 0.0 and out_y > 0.0:
                distance = math.sqrt(out_x * out_x + out_y * out_y) - radius
            covered = min(1.0, max(0.0, 0.5 - distance))
            if covered > 0.0:
                _mix(image, y, x, colour_bgr, covered * opacity)


# -- lists of shapes -----------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def room_for(most: int) -> Shapes:
    """An empty list with room for so many shapes."""
    return np.zeros(most, SHAPE), np.zeros(1, np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def add(
    shapes: Shapes, kind: int, place: Line, widths: Pair, opacities: Pair, colour: Colour
) -> None:
    """A shape more; see ``SHAPE``."""
    table, count = shapes
    shape = table[count[0]]
    count[0] += 1
    shape.kind = kind
    for i in range(5):
        shape.place[i] = place[i]
    for i in range(2):
        shape.widths[i], shape.opacities[i] = widths[i], opacities[i]
    for i in range(3):
        shape.colour[i] = colour[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_capsule(
    shapes: Shapes, start_xy: Pair, end_xy: Pair, widths: Pair, opacities: Pair, colour: Colour
) -> None:
    """A line as ``paint_capsule`` paints it."""
    add(shapes, CAPSULE, (*start_xy, *end_xy, 0.0), widths, opacities, colour)


@njit(cache=True, nogil=True, error_model="numpy")
def paint_list(image: ImageBgr, scratch: Scratch, shapes: Shapes) -> None:
    """Paints all shapes, the first one first, and leaves the list empty."""
    table, count = shapes
    for n in range(count[0]):
        shape = table[n]
        a, b, c, d, e = shape.place
        width, rim = shape.widths
        strong, other = shape.opacities
        blue, green, red = shape.colour
        colour, opacities = (blue, green, red), (strong, other)
        if shape.kind == CAPSULE:
            paint_capsule(image, scratch, (a, b), (c, d), (width, rim), opacities, colour)
        elif shape.kind == ELLIPSE:
            paint_ellipse(image, (a, b), (c, d, e), width, opacities, colour)
        else:
            paint_panel(image, (a, b, c, d), width, strong, colour)
    count[0] = 0
