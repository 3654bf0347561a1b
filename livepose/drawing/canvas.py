"""The picture that is drawn into, laid out as the kernels want it, and text on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import cv2
import numpy as np

from livepose.errors import UsageError
from livepose.frame import ImageBgr

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_SCALE = 4.0
Colour = tuple[float, float, float]


def check_colour_image(image_bgr: ImageBgr) -> None:
    """Raises UsageError unless this is a uint8 picture of shape (H, W, 3)."""
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
        raise UsageError(
            "a picture to draw on: expected uint8 of shape (H, W, 3), blue first, "
            f"got {image_bgr.dtype} of shape {image_bgr.shape}; "
            "convert a grey one with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
        )


@contextmanager
def on_canvas(image_bgr: ImageBgr) -> Iterator[ImageBgr]:
    """The picture itself, or, where it is a mirrored or strided view, a copy that is put back."""
    check_colour_image(image_bgr)
    if not image_bgr.flags.writeable:
        raise UsageError("a picture to draw on: expected a writable array; draw on image.copy()")
    canvas = np.ascontiguousarray(image_bgr)
    yield canvas
    if canvas is not image_bgr:
        image_bgr[...] = canvas


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
