"""What decoders give, as images: square pixels, the colours of a screen, the right way up.

High dynamic range (HLG and PQ in BT.2020) is shown as by a screen that has none (BT.709).

References
----------
ITU-R BT.2100 (the curves), BT.2087 (the primaries), BT.2408 (reference white: 203 cd/m²).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.frame import ImageBgr

# isort: split
import av as av  # after OpenCV, whose windows hang with the X libraries that PyAV brings

MAX_PIXELS = 110_000_000
"""What the largest common phones take (108 megapixels); decoding it takes 1.5 GB at most."""
LIMITS = {"max_pixels": str(MAX_PIXELS)}
"""Of FFmpeg, for looking into a stream and for decoding it: larger frames are refused."""
_SQUARE_WITHIN = 0.03
"""So far from square are pixels that only a size rounded to whole ones has made so."""
_LARGEST_ASPECT = 10.0
_NAMED_SIDE_DATA = frozenset(("png", "apng"))
"""Their colour profiles have names, which PyAV frees twice once it was asked for side data."""

PQ, HLG = 16, 18
HDR_CURVES = frozenset((PQ, HLG))
_WHITE_NITS, _HLG_PEAK_NITS = 203.0, 1000.0
_KNEE = 0.7
"""From here on, of reference white, brightness is compressed."""
_MOST = 4.0
"""The brightest that a screen can be, in reference whites."""
_BGR_2020_TO_709 = np.array(
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]], np.float32
)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Inside the block OpenCV logs nothing: livepose says the same in one sentence."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def reason_of(error: Exception) -> str:
    """What FFmpeg says, in words."""
    said = getattr(error, "strerror", None) or str(error)
    return "no answer in time" if isinstance(error, av.ExitError) else said


class Converter:
    """Makes the frames of one stream into images.

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
        self._upright: tuple[bool, bool, bool] | None = None

    def __call__(self, frame: Any) -> tuple[ImageBgr, tuple[float, float]]:
        """The image as ffmpeg shows it, and the scale along its own x and y."""
        if self._upright is None:
            self._upright = _upright(frame, with_matrix=self._codec not in _NAMED_SIDE_DATA)
        scale_x, scale_y = self.scale_xy
        width, height = round(frame.width * scale_x), round(frame.height * scale_y)
        shown = self._reformatter.reformat(frame, width=width, height=height, format="bgr24")
        image_bgr = np.asarray(shown.to_ndarray())
        if frame.color_trc in HDR_CURVES:
            image_bgr = to_sdr(image_bgr, frame.color_trc)
        exact_xy = width / frame.width, height / frame.height
        transposed, flip_x, flip_y = self._upright
        if transposed:
            image_bgr, exact_xy = np.asarray(cv2.transpose(image_bgr)), exact_xy[::-1]
        if flip_x or flip_y:
            image_bgr = np.asarray(cv2.flip(image_bgr, int(flip_x) if flip_x != flip_y else -1))
        return image_bgr, exact_xy


def _upright(frame: Any, with_matrix: bool) -> tuple[bool, bool, bool]:
    """Whether to transpose, and then to turn over left and right, and top and bottom.

    The display matrix holds (a, b, u, c, d, v, x, y, w), and the pixel (p, q) is shown at
    (a p + c q + x, b p + d q + y). Where it cannot be asked for, mirroring is not known.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX") if with_matrix else None
    except ValueError:  # beside it lies something that PyAV has no name for, such as EXIF
        data = None
    if data is None:  # degrees counterclockwise
        turn = frame.rotation % 360
        return turn in (90, 270), turn in (180, 270), turn in (90, 180)
    a, b, c, d = np.frombuffer(bytes(data), np.int32).astype(np.int64)[[0, 1, 3, 4]]
    transposed = bool(abs(b) > abs(a))
    flip_x, flip_y = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    return transposed, bool(flip_x), bool(flip_y)


def to_sdr(image_bgr: ImageBgr, curve: int) -> ImageBgr:
    """An image (H, W, 3) of that curve with BT.2020's primaries as a screen shows it."""
    light_bgr = cv2.transform(cv2.LUT(image_bgr, _light(curve)), _BGR_2020_TO_709)
    # The root spends the 256 steps where eyes see them.
    root = cv2.sqrt(cv2.max(light_bgr, 0.0, dst=light_bgr), dst=light_bgr)
    return np.asarray(cv2.LUT(cv2.convertScaleAbs(root, alpha=255 / _MOST**0.5), _shown()))


@cache
def _light(curve: int) -> NDArray[np.float32]:
    """Light, in reference whites, for each of 256 values."""
    value = np.arange(256) / 255
    if curve == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
        nits = _HLG_PEAK_NITS * scene**1.2
    else:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = value ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (nits / _WHITE_NITS).astype(np.float32)


@cache
def _shown() -> NDArray[np.uint8]:
    """The value on the screen for each root of light."""
    light = _MOST * (np.arange(256) / 255) ** 2
    room = 1 - _KNEE
    soft = _KNEE + room * (1 - np.exp(-(light - _KNEE) / room))
    value = np.where(light <= _KNEE, light, soft) ** (1 / 2.4)
    return np.asarray(np.rint(255 * value), np.uint8)
