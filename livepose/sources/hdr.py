"""High dynamic range (HLG and PQ in BT.2020) for a screen that has none, as BT.709.

References
----------
ITU-R BT.2100 (the curves), BT.2087 (the primaries), BT.2408 (reference white: 203 cd/m²).
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.frame import ImageBgr

PQ, HLG = 16, 18
HDR_CURVES = frozenset((PQ, HLG))

_WHITE_NITS = 203.0
_HLG_PEAK_NITS = 1000.0
_KNEE = 0.7
"""From here on, of reference white, brightness is compressed."""
_MOST = 4.0
"""The brightest that a screen can be, in reference whites."""

_RGB_2020_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_BGR_2020_TO_709 = np.ascontiguousarray(_RGB_2020_TO_709[::-1, ::-1], np.float32)


def to_sdr(image_bgr: ImageBgr, curve: int) -> ImageBgr:
    """A picture (H, W, 3) of that curve with BT.2020's primaries as a screen shows it."""
    light_bgr = cv2.transform(cv2.LUT(image_bgr, _light(curve)), _BGR_2020_TO_709)
    # The root spends the 256 steps where eyes see them.
    root = cv2.sqrt(cv2.max(light_bgr, 0.0, dst=light_bgr), dst=light_bgr)
    return np.asarray(cv2.LUT(cv2.convertScaleAbs(root, alpha=255 / _MOST**0.5), _shown()))


@cache
def _light(curve: int) -> NDArray[np.float32]:
    """Light, in reference whites, for each of 256 values."""
    value = np.arange(256) / 255
    nits = _pq_nits(value) if curve == PQ else _hlg_nits(value)
    return (nits / _WHITE_NITS).astype(np.float32)


def _hlg_nits(value: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
    return np.asarray(_HLG_PEAK_NITS * scene**1.2)


def _pq_nits(value: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = value ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1))


@cache
def _shown() -> NDArray[np.uint8]:
    """The value on the screen for each root of light."""
    light = _MOST * (np.arange(256) / 255) ** 2
    room = 1 - _KNEE
    soft = _KNEE + room * (1 - np.exp(-(light - _KNEE) / room))
    value = np.where(light <= _KNEE, light, soft) ** (1 / 2.4)
    return np.asarray(np.rint(255 * value), np.uint8)
