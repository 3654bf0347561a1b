"""Kernels that paint capsules: lines with round ends and a dark rim, blended in place.

A capsule is a distance: a pixel is covered by as much as the edge reaches over its centre. The
pixels near one are first listed, row after row; then what covers each is worked out for the whole
list, in single precision and without a branch, so that the compiler makes vectors of it; then
they are blended. Rows of a limb are far too short to be worth that one by one.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.frame import ImageBgr

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int32]
Line = tuple[float, float, float, float, float]
"""Start x, y, step x, y to the end, and how far from the line a pixel may be."""
Pen = tuple[float, float, float, float, float]
"""Radius, width of the rim, highest share of the fill, opacity at the start, and its rise."""

Colour = tuple[float, float, float]
Scratch = tuple[Singles, Singles, NDArray[np.int64], Integers, Integers]
"""The listed pixels: x, y from the start, place of their blue in the picture, kept, and light."""

_BLOCK = 4096
"""Pixels that are worked out together, at most, beside those of one row."""
_EDGE_OPACITY = np.float32(0.75)
"""How dark the rim is, against the fill."""
_EDGE_LIGHT = np.float32(0.1)
_ZERO, _HALF, _ONE, _STEPS = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(256.0)
_SHORTEST2_PX = 1e-6
"""A line shorter than the root of that is a disc, as opaque as its start."""


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
) -> tuple[float, float]:
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
    start_xy: tuple[float, float],
    end_xy: tuple[float, float],
    widths_px: tuple[float, float],
    opacities: tuple[float, float],
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
