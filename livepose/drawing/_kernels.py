"""Kernels that paint ellipses and rounded panels into a picture, blended in place.

Every shape is a distance: a pixel is covered by as much as the shape's edge reaches over its
centre. Rows are scanned only where the shape can be. Pictures are uint8 (H, W, 3), C order; all
other arrays are float64, C order, finite.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.frame import ImageBgr

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def _mix(
    image: ImageBgr, y: int, x: int, blue: float, green: float, red: float, opacity: float
) -> None:
    """One pixel moved towards a colour, in whole numbers (twice as fast as in floats)."""
    share = int(opacity * 256.0 + 0.5)
    keep = 256 - share
    image[y, x, 0] = (image[y, x, 0] * keep + int(blue) * share + 128) >> 8
    image[y, x, 1] = (image[y, x, 1] * keep + int(green) * share + 128) >> 8
    image[y, x, 2] = (image[y, x, 2] * keep + int(red) * share + 128) >> 8


@njit(cache=True, nogil=True)
def paint_ellipse(
    image: ImageBgr,
    centre_xy: tuple[float, float],
    covariance: tuple[float, float, float],
    half_width_px: float,
    opacities: tuple[float, float],
    colour_bgr: tuple[float, float, float],
) -> None:
    """Paints the ellipse of a covariance.

    ``covariance`` is xx, xy, yy of a positive definite one. ``opacities`` are those of the line
    and of what it encloses, ``colour_bgr`` is in 0..255. The distance to the line is measured to
    first order, exact where it matters: on the line.
    """
    height, width = image.shape[0], image.shape[1]
    cx, cy = centre_xy
    xx, xy, yy = covariance
    det = xx * yy - xy * xy
    a, b, c = yy / det, -xy / det, xx / det
    blue, green, red = colour_bgr
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
                _mix(image, y, x, blue, green, red, opacity)


@njit(cache=True, nogil=True)
def paint_panel(
    image: ImageBgr,
    left: float,
    top: float,
    right: float,
    bottom: float,
    radius: float,
    opacity: float,
    blue: float,
    green: float,
    red: float,
) -> None:
    """Paints a rectangle with round corners; left..bottom are its edges in pixels."""
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
                _mix(image, y, x, blue, green, red, covered * opacity)
