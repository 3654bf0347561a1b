"""The kernel that paints capsules: lines with round ends and a dark rim, blended in place.

OpenCV's lines have whole widths and one opacity; these have any, and an opacity at either end. A
pixel is covered by as much as the shape's edge reaches over its centre, so that edges are smooth,
positions are sub-pixel, and an end a mile outside the image is as harmless as one inside.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.frame import ImageBgr

Levels = NDArray[np.float32]
_RIM_OPACITY, _RIM_LIGHT = 0.75, 0.1  # against the fill's opacity and colour


_fast = njit(nogil=True, error_model="numpy", fastmath=True)
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


@_fast
def paint_capsules(image_bgr: ImageBgr, shapes: NDArray[np.float64]) -> None:
    """Paints N capsules into an image, uint8 (H, W, 3), in place, the first one first.

    ``shapes`` (N, 12) are finite: start x, y, end x, y, radius, hole, width of the rim, opacity at
    the start and at the end, and blue, green, red in 0..255. One of no length is a disc, and with
    a hole a ring: the radius is then measured from a circle (or capsule) of that radius.
    """
    height, width = image_bgr.shape[0], image_bgr.shape[1]
    keep, light = np.empty(width, np.float32), np.empty(width, np.float32)
    for n in range(len(shapes)):
        shape = shapes[n]
        ax, ay, bx, by, radius, hole, rim = shape[:7]
        if max(shape[7], shape[8]) <= 0.0:
            continue
        dx, dy, reach = bx - ax, by - ay, hole + radius + rim + 0.5
        blue, green, red = np.float32(shape[9]), np.float32(shape[10]), np.float32(shape[11])
        low, high = max(0.0, min(ax, bx) - reach), min(width - 1.0, max(ax, bx) + reach)
        slanted = abs(dy) > 1e-3 * abs(dx)
        lean = dx / dy if slanted else 0.0
        half = reach * math.sqrt(1.0 + lean * lean)
        top = math.ceil(max(0.0, min(ay, by) - reach))
        bottom = math.floor(min(height - 1.0, max(ay, by) + reach))
        for y in range(top, bottom + 1):
            left, right = low, high
            if slanted:
                middle = ax + (y - ay) * lean
                left, right = max(low, middle - half), min(high, middle + half)
            first, count = math.ceil(left), math.floor(right) - math.ceil(left) + 1
            if count <= 0:
                continue
            _cover(shape, first, y, keep[:count], light[:count])
            pixels = image_bgr[y, first : first + count]
            for i in range(count):
                old, new = keep[i], light[i]
                pixels[i, 0] = np.uint8(
                    np.int32(np.float32(pixels[i, 0]) * old + blue * new + _HALF)
                )
                pixels[i, 1] = np.uint8(
                    np.int32(np.float32(pixels[i, 1]) * old + green * new + _HALF)
                )
                pixels[i, 2] = np.uint8(
                    np.int32(np.float32(pixels[i, 2]) * old + red * new + _HALF)
                )


@_fast
def _cover(shape: NDArray[np.float64], first: int, y: int, keep: Levels, light: Levels) -> None:
    """How much of each pixel of a row stays, and how much of the colour it gets, 0 to 1.

    In single precision and without a branch, so that the compiler makes vectors of it.
    """
    dx, dy = np.float32(shape[2] - shape[0]), np.float32(shape[3] - shape[1])
    right, down = np.float32(first - shape[0]), np.float32(y - shape[1])
    scale = _ONE / max(dx * dx + dy * dy, np.float32(1e-6))
    radius, hole, rim = np.float32(shape[4]), np.float32(shape[5]), np.float32(shape[6])
    faint, rise = np.float32(shape[7]), np.float32(shape[8] - shape[7])
    most, outer = min(_ONE, radius + radius), radius + _HALF
    rim_opacity, rim_light = np.float32(_RIM_OPACITY), np.float32(_RIM_LIGHT)
    for i in range(len(keep)):
        px = right + np.float32(i)
        along = min(_ONE, max(_ZERO, (px * dx + down * dy) * scale))
        qx, qy = px - along * dx, down - along * dy
        inside = outer - abs(np.sqrt(qx * qx + qy * qy) - hole)
        fill, opacity = max(_ZERO, min(most, inside)), faint + along * rise
        body = fill * opacity
        outline = rim_opacity * opacity * (max(_ZERO, min(_ONE, inside + rim)) - fill)
        outline = max(_ZERO, outline)
        # First the rim takes its share of the pixel, then the fill goes over it.
        keep[i] = (_ONE - body) * (_ONE - outline)
        light[i] = body + rim_light * outline * (_ONE - body)
