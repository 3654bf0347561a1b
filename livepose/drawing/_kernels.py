"""Kernels that paint capsules, ellipses and rounded panels into a picture, blended in place.

Every shape is a distance: a pixel is covered by as much as the shape's edge reaches over its
centre. Rows are scanned only where the shape can be. Pictures are uint8 (H, W, 3), C order; all
other arrays are float64, C order, finite.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from livepose.frame import ImageBgr

Floats = NDArray[np.float64]

_EDGE_OPACITY = 0.75
"""How dark the outline of a capsule is, against its fill."""


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


@njit(cache=True, nogil=True)
def _capsule(
    image: ImageBgr,
    ax: float,
    ay: float,
    dx: float,
    dy: float,
    radius: float,
    edge: float,
    faint: float,
    strong: float,
    blue: float,
    green: float,
    red: float,
) -> None:
    """One line from a to a + d with round ends, opacity running from ``faint`` to ``strong``."""
    height, width = image.shape[0], image.shape[1]
    reach = radius + edge + 1.0
    length2 = dx * dx + dy * dy
    scale = 1.0 / length2 if length2 > 0.0 else 0.0
    thin = min(1.0, 2.0 * radius)
    inner2 = max(0.0, radius - 0.5) ** 2
    outer2 = (radius + edge + 0.5) ** 2
    top = max(0, math.ceil(min(ay, ay + dy) - reach))
    bottom = min(height - 1, math.floor(max(ay, ay + dy) + reach))
    for y in range(top, bottom + 1):
        first, last = _clip_axis(ay, dy, y - reach, y + reach, 0.0, 1.0)
        one, two = ax + first * dx, ax + last * dx
        left = max(0, math.ceil(min(one, two) - reach))
        right = min(width - 1, math.floor(max(one, two) + reach))
        for x in range(left, right + 1):
            px, py = x - ax, y - ay
            t = min(1.0, max(0.0, (px * dx + py * dy) * scale))
            px, py = px - t * dx, py - t * dy
            distance2 = px * px + py * py
            if distance2 >= outer2:
                continue
            opacity = faint + t * (strong - faint)
            if distance2 < inner2:
                _mix(image, y, x, blue, green, red, opacity)
                continue
            inside = radius - math.sqrt(distance2) + 0.5
            fill = max(0.0, min(thin, inside))
            rim = min(1.0, inside + edge) - fill
            _mix(image, y, x, 0.1 * blue, 0.1 * green, 0.1 * red, rim * _EDGE_OPACITY * opacity)
            # The rim took its share of this pixel already; the fill goes over it.
            _mix(image, y, x, blue, green, red, fill * opacity)


@njit(cache=True, nogil=True)
def paint_capsules(
    image: ImageBgr,
    ends_xyxy: Floats,
    radii_px: Floats,
    edges_px: Floats,
    opacities: Floats,
    colours_bgr: Floats,
) -> None:
    """Paints N thick lines with round ends and a dark rim, in order.

    ends_xyxy (N, 4) in pixels, radii_px (N,), edges_px (N,) width of the rim, opacities (N, 2) at
    either end, colours_bgr (N, 3). A line of no length is a disc.
    """
    height, width = image.shape[0], image.shape[1]
    for n in range(ends_xyxy.shape[0]):
        ax, ay = ends_xyxy[n, 0], ends_xyxy[n, 1]
        dx, dy = ends_xyxy[n, 2] - ax, ends_xyxy[n, 3] - ay
        reach = radii_px[n] + edges_px[n] + 2.0
        first, last = _clip_axis(ax, dx, -reach, width - 1.0 + reach, 0.0, 1.0)
        first, last = _clip_axis(ay, dy, -reach, height - 1.0 + reach, first, last)
        if first > last:
            continue
        slope = opacities[n, 1] - opacities[n, 0]
        _capsule(
            image,
            ax + first * dx,
            ay + first * dy,
            (last - first) * dx,
            (last - first) * dy,
            radii_px[n],
            edges_px[n],
            opacities[n, 0] + first * slope,
            opacities[n, 0] + last * slope,
            colours_bgr[n, 0],
            colours_bgr[n, 1],
            colours_bgr[n, 2],
        )


@njit(cache=True, nogil=True)
def paint_ellipses(
    image: ImageBgr,
    centres_xy: Floats,
    covariances: Floats,
    half_width_px: float,
    stroke: Floats,
    fill: Floats,
    colours_bgr: Floats,
) -> None:
    """Paints the one-sigma ellipse of N covariances (N, 2, 2) around centres_xy (N, 2).

    stroke (N,) and fill (N,) are opacities. Covariances are positive definite. The distance to
    the line is measured to first order, exact where it matters: on the line.
    """
    height, width = image.shape[0], image.shape[1]
    for n in range(centres_xy.shape[0]):
        xx, xy, yy = covariances[n, 0, 0], covariances[n, 0, 1], covariances[n, 1, 1]
        det = xx * yy - xy * xy
        a, b, c = yy / det, -xy / det, xx / det
        cx, cy = centres_xy[n, 0], centres_xy[n, 1]
        wide, tall = math.sqrt(xx) + half_width_px + 1.0, math.sqrt(yy) + half_width_px + 1.0
        top = math.ceil(max(0.0, cy - tall))
        bottom = math.floor(min(height - 1.0, cy + tall))
        left = math.ceil(max(0.0, cx - wide))
        right = math.floor(min(width - 1.0, cx + wide))
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
                opacity = max(line * stroke[n], body * fill[n])
                if opacity > 0.0:
                    _mix(
                        image,
                        y,
                        x,
                        colours_bgr[n, 0],
                        colours_bgr[n, 1],
                        colours_bgr[n, 2],
                        opacity,
                    )


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
