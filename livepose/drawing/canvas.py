"""The image that is drawn into, and what OpenCV draws on it: text and panels."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.drawing._kernels import paint_cover
from livepose.errors import UsageError
from livepose.frame import ImageBgr

Colour = tuple[float, float, float]
SHIFT = 4
_FAR_PX = 1e6
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_SCALE = 4.0
_OVERSAMPLED, _MARGIN_PX = 4, 2
_ANGLES = np.deg2rad(np.linspace(0.0, 360.0, 32, endpoint=False) + 360.0 / 64)
_ROUND_XY = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_QUADRANT_XY = np.sign(_ROUND_XY)


def check_colour_image(image_bgr: ImageBgr) -> None:
    """Raises UsageError unless this is a uint8 image of shape (H, W, 3)."""
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
        raise UsageError(
            "an image to draw on: expected uint8 of shape (H, W, 3), blue first, "
            f"got {image_bgr.dtype} of shape {image_bgr.shape}; "
            "convert a grey one with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
        )


def canvas_of(image_bgr: ImageBgr) -> ImageBgr:
    """The image itself, or, where it is a mirrored or strided view, a copy to be put back."""
    check_colour_image(image_bgr)
    if not image_bgr.flags.writeable:
        raise UsageError("an image to draw on: expected a writable array; draw on image.copy()")
    return np.ascontiguousarray(image_bgr)


def fixed(values_px: NDArray[np.float64]) -> Any:
    """Places or lengths as OpenCV takes them, in steps of 1 / 2**SHIFT px."""
    return np.rint(np.clip(values_px, -_FAR_PX, _FAR_PX) * (1 << SHIFT)).astype(int).tolist()


def fill_panel(
    image_bgr: ImageBgr,
    edges_px: tuple[float, float, float, float],
    radius: float,
    opacity: float,
    bgr: Colour,
) -> None:
    """Fills a rectangle (left, top, right, bottom) with round corners, in place."""
    left, top, right, bottom = edges_px
    middle = np.array([left + right, top + bottom]) / 2
    inner = np.array([right - left, bottom - top]) / 2 - radius
    outline_xy = middle + _QUADRANT_XY * inner + radius * _ROUND_XY
    with blended(image_bgr, edges_px, opacity) as (ink, corner_xy):
        cv2.fillConvexPoly(ink, np.array(fixed(outline_xy - corner_xy)), bgr, cv2.LINE_AA, SHIFT)


@contextmanager
def blended(
    image_bgr: ImageBgr, edges_px: tuple[float, float, float, float], opacity: float
) -> Iterator[tuple[ImageBgr, NDArray[np.float64]]]:
    """A copy of that part of an image to draw on, and where its corner lies; then both are mixed.

    Only the part is copied: the whole of a large image would take longer than all the drawing.
    """
    height, width = image_bgr.shape[:2]
    low, high = np.array(edges_px[:2]), np.array(edges_px[2:])
    left, top = np.clip(np.floor(low) - 1, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(high) + 2, (left + 1, top + 1), (width, height)).astype(int)
    part = image_bgr[top:bottom, left:right]
    ink = part.copy()
    yield ink, np.array([left, top], dtype=np.float64)
    part[...] = cv2.addWeighted(ink, opacity, part, 1.0 - opacity, 0.0)


@lru_cache(maxsize=256)
def _font(height_px: float) -> tuple[int, float, int]:
    """OpenCV's font, scale and thickness of capitals ``height_px`` tall, oversampled."""
    (_, tall), _ = cv2.getTextSize("H", _FONT, _REFERENCE_SCALE, 1)
    scale = _REFERENCE_SCALE * height_px / float(tall)
    return _FONT, _OVERSAMPLED * scale, max(1, round(_OVERSAMPLED * height_px / 11.0))


@lru_cache(maxsize=4096)
def text_width_px(text: str, height_px: float) -> int:
    """How wide a line of text is when its capitals are ``height_px`` tall."""
    (wide, _), _ = cv2.getTextSize(text, *_font(height_px))
    return -int(-wide // _OVERSAMPLED)


@lru_cache(maxsize=512)
def _text_cover(text: str, height_px: float) -> tuple[NDArray[np.int32], int]:
    """How much of each pixel a line of text covers (H, W), in 256ths, and the row of its base line.

    It is drawn larger and made smaller: OpenCV sets small letters on whole pixels, too narrow.
    """
    reach = int(2 * height_px) + 2
    shape = (2 * reach, text_width_px(text, height_px) + 2 * _MARGIN_PX)
    large = np.zeros([_OVERSAMPLED * side for side in shape], dtype=np.uint8)
    corner = _OVERSAMPLED * _MARGIN_PX, _OVERSAMPLED * reach
    font, scale, weight = _font(height_px)
    cv2.putText(large, text, corner, font, scale, 255, weight, cv2.LINE_AA)
    cover = cv2.resize(large, shape[::-1], interpolation=cv2.INTER_AREA)
    rows = np.flatnonzero(cover.any(axis=1))
    first, last = (rows[0], rows[-1]) if len(rows) else (0, 0)
    return cover[first : last + 1].astype(np.int32) * 256 // 255, reach - int(first)


def put_text(
    image_bgr: ImageBgr,
    text: str,
    left_base_xy: tuple[float, float],
    height_px: float,
    bgr: Colour,
    right_px: float = _FAR_PX,
) -> None:
    """Writes a line, its base line starting at ``left_base_xy``, in place; cut at ``right_px``."""
    cover, base = _text_cover(text, height_px)
    left, top = round(left_base_xy[0]) - _MARGIN_PX, round(left_base_xy[1]) - base
    paint_cover(image_bgr, cover, left, top, bgr, int(right_px))
