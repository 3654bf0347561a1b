"""Decoded frames as pictures: square pixels, the colours of a screen, the right way up."""

from typing import Any

import cv2
import numpy as np

from livepose.frame import ImageBgr
from livepose.sources._av import av
from livepose.sources._hdr import HDR_CURVES, to_sdr

_SQUARE_WITHIN = 0.03
"""So far from square are pixels that only a size rounded to whole ones has made so."""
_BELIEVED_ASPECTS = (0.1, 10.0)


def pixel_scale(stream: Any) -> tuple[float, float]:
    """By what width and height grow until the pixels are square; (1, 1) where they are."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if (
        abs(aspect - 1) <= _SQUARE_WITHIN
        or not _BELIEVED_ASPECTS[0] < aspect < _BELIEVED_ASPECTS[1]
    ):
        return 1.0, 1.0
    return (aspect, 1.0) if aspect > 1 else (1.0, 1 / aspect)


_TURNS = {90: (True, 0), 180: (False, -1), 270: (True, 1)}
"""Degrees counterclockwise as ``orientation`` says them."""
_NAMED_SIDE_DATA = frozenset(("png", "apng"))
"""Their colour profiles have names, which PyAV frees twice once it was asked for side data."""


class Converter:
    """Makes the frames of one stream into pictures.

    It asks the first frame alone for its display matrix: a frame that was asked refers to itself
    and stays in memory, with the threads that converted it, until the garbage is collected.
    """

    def __init__(self, scale_xy: tuple[float, float], codec: str = "") -> None:
        self._scale_xy, self._codec = scale_xy, codec
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._orientation: tuple[bool, int | None] | None = None

    def __call__(self, frame: Any) -> tuple[ImageBgr, tuple[float, float]]:
        """The picture as ffmpeg shows it, and the scale along its own x and y."""
        if self._orientation is None:
            named = self._codec in _NAMED_SIDE_DATA
            self._orientation = _turn(frame) if named else orientation(frame)
        scale_x, scale_y = self._scale_xy
        width, height = round(frame.width * scale_x), round(frame.height * scale_y)
        shown = self._reformatter.reformat(frame, width=width, height=height, format="bgr24")
        return _upright(np.asarray(shown.to_ndarray()), frame, self._orientation)


def to_bgr(frame: Any, scale_xy: tuple[float, float]) -> tuple[ImageBgr, tuple[float, float]]:
    """The picture of a single frame; see ``Converter``."""
    return Converter(scale_xy)(frame)


def _upright(
    image_bgr: ImageBgr, frame: Any, turn: tuple[bool, int | None]
) -> tuple[ImageBgr, tuple[float, float]]:
    height, width = image_bgr.shape[:2]
    curve = getattr(frame, "color_trc", None)
    if curve in HDR_CURVES:
        image_bgr = to_sdr(image_bgr, curve)
    exact_xy = width / frame.width, height / frame.height
    transposed, flip_code = turn
    if transposed:
        image_bgr, exact_xy = np.asarray(cv2.transpose(image_bgr)), exact_xy[::-1]
    if flip_code is not None:
        image_bgr = np.asarray(cv2.flip(image_bgr, flip_code))
    return image_bgr, exact_xy


def orientation(frame: Any) -> tuple[bool, int | None]:
    """How the display matrix of a frame wants it: transposed first, then flipped.

    The matrix holds (a, b, u, c, d, v, x, y, w), and the pixel (p, q) is shown at
    (a p + c q + x, b p + d q + y). Turns by other than right angles are rounded to those.

    Returns
    -------
    transposed : bool
    flip_code : int or None
        That of ``cv2.flip``: 1 mirrors left and right, 0 top and bottom, -1 both.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # beside it lies something that PyAV has no name for, such as EXIF
        return _turn(frame)
    if data is None:
        return False, None
    matrix = np.frombuffer(bytes(data), np.int32).astype(np.int64)
    a, b, c, d = matrix[[0, 1, 3, 4]]
    transposed = bool(abs(b) > abs(a))
    flip_x, flip_y = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    return transposed, {(True, True): -1, (True, False): 1, (False, True): 0}.get(
        (bool(flip_x), bool(flip_y))
    )


def _turn(frame: Any) -> tuple[bool, int | None]:
    """The same without mirroring, for frames whose side data cannot be asked for."""
    return _TURNS.get(frame.rotation % 360, (False, None))
