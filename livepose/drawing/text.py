"""Text in pictures: sized by its height in pixels, whatever OpenCV's font of the day."""

from functools import lru_cache

import cv2

from livepose.frame import ImageBgr

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_SCALE = 4.0

Colour = tuple[float, float, float]


@lru_cache(maxsize=256)
def font_scale(height_px: float) -> float:
    """OpenCV's font scale at which capital letters are ``height_px`` tall."""
    (_, tall), _ = cv2.getTextSize("H", _FONT, _REFERENCE_SCALE, 1)
    return _REFERENCE_SCALE * height_px / float(tall)


@lru_cache(maxsize=4096)
def text_width_px(text: str, height_px: float) -> int:
    """How wide a line of text is when its capitals are ``height_px`` tall."""
    (wide, _), _ = cv2.getTextSize(text, _FONT, font_scale(height_px), _weight(height_px))
    return int(wide)


def put_text(
    image_bgr: ImageBgr, text: str, left_base_xy: tuple[float, float], height_px: float, bgr: Colour
) -> None:
    """Writes one line, its base line starting at ``left_base_xy``, in place."""
    x, y = left_base_xy
    weight = _weight(height_px)
    scale = font_scale(height_px)
    cv2.putText(image_bgr, text, (round(x), round(y)), _FONT, scale, bgr, weight, cv2.LINE_AA)


def _weight(height_px: float) -> int:
    return max(1, round(height_px / 11.0))
