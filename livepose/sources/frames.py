"""Decoded frames as pictures: square pixels, the colours of a screen, the right way up."""

from typing import Any

import cv2
import numpy as np

from livepose.frame import ImageBgr
from livepose.sources.hdr import HDR_CURVES, to_sdr
from livepose.sources.libraries import av

_SQUARE_WITHIN = 0.03
"""So far from square are pixels that only a size rounded to whole ones has made so."""
_LARGEST_ASPECT = 10.0

Orientation = tuple[bool, int | None]
"""Whether to transpose, and then how ``cv2.flip`` flips: 1 left and right, 0 top and bottom."""
_TURNS: dict[int, Orientation] = {90: (True, 0), 180: (False, -1), 270: (True, 1)}
"""By degrees counterclockwise."""
_FLIPS = {(True, True): -1, (True, False): 1, (False, True): 0}
_NAMED_SIDE_DATA = frozenset(("png", "apng"))
"""Their colour profiles have names, which PyAV frees twice once it was asked for side data."""


class Converter:
    """Makes the frames of one stream into pictures.

    It asks the first frame alone for its display matrix: a frame that was asked refers to itself
    and stays in memory, with the threads that converted it, until the garbage is collected.
    """

    def __init__(self, stream: Any) -> None:
        aspect, self._codec = float(stream.sample_aspect_ratio or 1), stream.codec_context.name
        believed = 1 / _LARGEST_ASPECT < aspect < _LARGEST_ASPECT
        if abs(aspect - 1) <= _SQUARE_WITHIN or not believed:
            aspect = 1.0
        # By what width and height grow until the pixels are square.
        self.scale_xy = max(aspect, 1.0), max(1 / aspect, 1.0)
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._orientation: Orientation | None = None

    def __call__(self, frame: Any) -> tuple[ImageBgr, tuple[float, float]]:
        """The picture as ffmpeg shows it, and the scale along its own x and y."""
        if self._orientation is None:
            self._orientation = _orientation(frame, with_matrix=self._codec not in _NAMED_SIDE_DATA)
        scale_x, scale_y = self.scale_xy
        width, height = round(frame.width * scale_x), round(frame.height * scale_y)
        shown = self._reformatter.reformat(frame, width=width, height=height, format="bgr24")
        image_bgr = np.asarray(shown.to_ndarray())
        if frame.color_trc in HDR_CURVES:
            image_bgr = to_sdr(image_bgr, frame.color_trc)
        exact_xy = width / frame.width, height / frame.height
        transposed, flip_code = self._orientation
        if transposed:
            image_bgr, exact_xy = np.asarray(cv2.transpose(image_bgr)), exact_xy[::-1]
        if flip_code is not None:
            image_bgr = np.asarray(cv2.flip(image_bgr, flip_code))
        return image_bgr, exact_xy


def _orientation(frame: Any, with_matrix: bool) -> Orientation:
    """How the display matrix of a frame wants it, rounded to right angles.

    The matrix holds (a, b, u, c, d, v, x, y, w), and the pixel (p, q) is shown at
    (a p + c q + x, b p + d q + y). Where it cannot be asked for, mirroring is not known.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX") if with_matrix else None
    except ValueError:  # beside it lies something that PyAV has no name for, such as EXIF
        data = None
    if data is None:
        return _TURNS.get(frame.rotation % 360, (False, None))
    a, b, c, d = np.frombuffer(bytes(data), np.int32).astype(np.int64)[[0, 1, 3, 4]]
    transposed = bool(abs(b) > abs(a))
    flip_x, flip_y = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    return transposed, _FLIPS.get((bool(flip_x), bool(flip_y)))
