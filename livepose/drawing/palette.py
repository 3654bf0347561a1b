"""Colours: one per track, stable, far apart, with a variant for each side of the body.

Hues are stepped by the golden angle in OKLCH, where equal steps look equally far apart and equal
lightness looks equally light. Source: Björn Ottosson, https://bottosson.github.io/posts/oklab/.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEFT, CENTRE, RIGHT = 0, 1, 2
"""Rows of ``track_colours_bgr``: the person's left, the middle of the body, the person's right."""

_FIRST_HUE_DEG = 198.0
_GOLDEN_ANGLE_DEG = 137.50776
_LIGHTNESS = (0.88, 0.79, 0.70)
_CHROMA = (0.15, 0.13, 0.17)
_HUE_SHIFT_DEG = (-34.0, 0.0, 34.0)


@lru_cache(maxsize=1024)
def track_colours_bgr(track_id: int) -> NDArray[np.float64]:
    """Three colours of one track, (3, 3), BGR in 0..255: left, centre, right (read-only).

    The left side is lighter and turned one way around the colour circle, the right side darker
    and turned the other way, so that they differ in a grey image too.

    Examples
    --------
    >>> track_colours_bgr(1).shape
    (3, 3)
    """
    hue_deg = _FIRST_HUE_DEG + _GOLDEN_ANGLE_DEG * (track_id - 1)
    rows = zip(_LIGHTNESS, _CHROMA, _HUE_SHIFT_DEG, strict=True)
    colours = np.array(
        [oklch_to_bgr(light, chroma, hue_deg + turn) for light, chroma, turn in rows]
    )
    colours.setflags(write=False)
    return colours


def oklch_to_bgr(lightness: float, chroma: float, hue_deg: float) -> NDArray[np.float64]:
    """OKLCH (lightness 0..1, chroma about 0..0.3) to sRGB as BGR in 0..255, cut at the gamut."""
    hue = np.deg2rad(hue_deg)
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.array(
        [
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        ]
    )
    linear = np.clip(linear, 0.0, 1.0)
    gamma = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return np.asarray(255.0 * gamma)
