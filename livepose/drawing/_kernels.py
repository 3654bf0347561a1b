"""The kernel that paints capsules: lines with round ends and a dark rim, blended in place.

OpenCV's lines have whole widths and one opacity; these have any, and an opacity at either end. A
pixel is covered by as much as the shape's edge reaches over its centre, so that edges are smooth,
positions are sub-pixel, and an end a mile outside the picture is as harmless as one inside.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.frame import ImageBgr

_RIM_OPACITY, _RIM_LIGHT = 0.75, 0.1  # against the fill's opacity and colour


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def paint_capsules(image_bgr: ImageBgr, shapes: NDArray[np.float64]) -> None:
    """Paints N capsules into a picture, uint8 (H, W, 3), in place, the first one first.

    ``shapes`` (N, 12) are finite: start x, y, end x, y, radius, hole, width of the rim, opacity at
    the start and at the end, and blue, green, red in 0..255. One of no length is a disc, and with
    a hole a ring: the radius is then measured from a circle (or capsule) of that radius.
    """
    height, width = image_bgr.shape[0], image_bgr.shape[1]
    for n in range(len(shapes)):
        ax, ay, bx, by, radius, hole, rim, faint, rise, blue, green, red = shapes[n]
        rise -= faint
        colour = int(blue), int(green), int(red)
        if faint + abs(rise) <= 0.0:
            continue
        dx, dy = bx - ax, by - ay
        scale = 1.0 / max(dx * dx + dy * dy, 1e-6)
        reach, most = hole + radius + rim + 0.5, min(1.0, 2.0 * radius)
        beyond = reach * reach
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
            for x in range(math.ceil(left), math.floor(right) + 1):
                px, py = x - ax, y - ay
                along = min(1.0, max(0.0, (px * dx + py * dy) * scale))
                px, py = px - along * dx, py - along * dy
                if px * px + py * py >= beyond:
                    continue
                inside = radius + 0.5 - abs(math.sqrt(px * px + py * py) - hole)
                if inside + rim <= 0.0:
                    continue
                fill = max(0.0, min(most, inside))
                opacity = faint + along * rise
                body = fill * opacity
                outline = _RIM_OPACITY * opacity * (min(1.0, inside + rim) - fill)
                # First the rim takes its share of the pixel, then the fill goes over it.
                keep = int(256.0 * (1.0 - body) * (1.0 - outline) + 0.5)
                light = int(256.0 * (body + _RIM_LIGHT * outline * (1.0 - body)) + 0.5)
                old = image_bgr[y, x, 0], image_bgr[y, x, 1], image_bgr[y, x, 2]
                image_bgr[y, x, 0] = (old[0] * keep + colour[0] * light + 128) >> 8
                image_bgr[y, x, 1] = (old[1] * keep + colour[1] * light + 128) >> 8
                image_bgr[y, x, 2] = (old[2] * keep + colour[2] * light + 128) >> 8
