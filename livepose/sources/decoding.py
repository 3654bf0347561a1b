"""Pictures of a file, upright and in the colours of a screen: the same reader for every way in.

Pillow tells what a file is and how large before anything of it is decoded, and reads JPEG, PNG,
HEIC (through pillow-heif), AVIF, GIF, and all that moves; OpenCV reads the other formats.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SourceError
from livepose.frame import ImageBgr, check_image
from livepose.paths import is_file
from livepose.sources._files import read_bytes
from livepose.sources._hdr import HDR_CURVES, to_sdr
from livepose.sources._quiet import quiet

logger = logging.getLogger(__name__)

MAX_PIXELS = 110_000_000
"""What the largest common phones take (108 megapixels); decoding it takes 1.5 GB at most."""
MAX_BYTES = 1 << 29

_BY_OPENCV = frozenset(("BMP", "WEBP", "TIFF", "PPM", "JPEG2000"))
# OpenCV's readers of JPEG and PNG tell of damage on stderr, past every log.
_FORMATS = (*_BY_OPENCV, "JPEG", "PNG", "GIF", "AVIF", "HEIF")
"""All that Pillow may try: for PostScript it would start an interpreter."""
_SEVERAL = frozenset(("GIF", "WEBP", "PNG", "AVIF", "HEIF", "TIFF"))
_TIMED = frozenset(("GIF", "WEBP", "PNG", "AVIF"))
"""Formats of moving images."""
_NO_VIDEO = frozenset(("HEIF", "WEBP", "AVIF"))
"""Of these FFmpeg shows a tile, or nothing."""
_PLAIN_DURATION_S, _LEAST_DURATION_S = 0.1, 0.011
"""Of a picture that says less, in browsers too."""


def read_image(path: str | Path) -> ImageBgr:
    """One picture as (H, W, 3), upright.

    Parameters
    ----------
    path : str or Path
        A file, or a pipe.

    Raises
    ------
    SourceError
        When there is none, or it is too large.
    """
    return decode_image(read_bytes(path, "a picture", MAX_BYTES), path)


def decode_image(data: bytes, name: str | Path, *, upright: bool = True) -> ImageBgr:
    """One picture (H, W, 3) from the bytes of a file; as it is stored where not ``upright``.

    Raises
    ------
    SourceError
        When there is none, or it is too large.
    """
    with _sentences(name):
        opened = _opened(data, name)
        if _is_several(opened):
            logger.info(f"{name} holds several pictures; only the first is taken")
            opened.seek(0)
        if opened.format in _BY_OPENCV:
            return _by_opencv(data, upright)
        image_bgr = _by_pillow(opened, upright)
        curve = _transfer_curve(data, opened.format)
        return to_sdr(image_bgr, curve) if curve in HDR_CURVES else image_bgr


def is_animation(path: str | Path) -> bool:
    """Whether a file holds several pictures with times: animated GIF, WebP, PNG or AVIF."""
    return _identified(path, lambda one: one.format in _TIMED and _is_several(one))


def is_no_video(path: str | Path) -> bool:
    """Whether a file is a picture that FFmpeg would not show as it is."""
    return _identified(path, lambda one: one.format in _NO_VIDEO)


def _identified(path: str | Path, what: Callable[[Any], bool]) -> bool:
    if not is_file(path):  # a pipe can be read only once
        return False
    try:
        with _sentences(path), _open(path) as opened:
            return what(opened)
    except SourceError:  # told by whoever reads it
        return False


def decode_animation(data: bytes, name: str | Path) -> Iterator[tuple[ImageBgr, float]]:
    """The pictures (H, W, 3) of such a file, each with the seconds that it is shown.

    Raises
    ------
    SourceError
        When one is damaged, or they are too large.
    """
    with _sentences(name):
        opened = _opened(data, name)
        frames = opened.n_frames
    for index in range(frames):
        with _sentences(name):
            opened.seek(index)
            image_bgr = _by_pillow(opened, upright=True)
            duration_s = float(opened.info.get("duration") or 0) / 1000
        yield image_bgr, duration_s if duration_s >= _LEAST_DURATION_S else _PLAIN_DURATION_S


@contextmanager
def _sentences(name: str | Path) -> Iterator[None]:
    """Turns whatever a decoder raises into one sentence: their errors have nothing in common."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SourceError:
        raise
    except Exception as error:
        if type(error).__name__ == "DecompressionBombError":
            raise _too_large(name) from None
        raise SourceError(f"{name} is not a picture that can be read; is it damaged?") from None


def as_image_bgr(picture: Any) -> ImageBgr:
    """A picture as (H, W, 3), blue first: a path is read, one of PIL's is turned upright.

    An array is taken as it is.

    Raises
    ------
    SourceError
        When the file is no picture.
    UsageError
        When it is none of these.
    """
    if isinstance(picture, str | Path):
        return read_image(picture)
    if hasattr(picture, "getexif") and hasattr(picture, "convert"):  # PIL is loaded, or not needed
        return _by_pillow(picture, upright=True)
    check_image(picture)
    image_bgr: ImageBgr = picture
    return image_bgr


def _open(file: Any) -> Any:
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return Image.open(file, formats=_FORMATS)


def _opened(data: bytes, name: str | Path) -> Any:
    opened = _open(io.BytesIO(data))
    if opened.width * opened.height > MAX_PIXELS:
        raise _too_large(name)
    return opened


def _is_several(opened: Any) -> bool:
    return opened.format in _SEVERAL and bool(getattr(opened, "is_animated", False))


def _transfer_curve(data: bytes, form: str) -> int | None:
    """How the values of a HEIC or AVIF become light, by H.273's numbers."""
    if form not in ("HEIF", "AVIF"):
        return None
    from pillow_heif import open_heif

    profile = open_heif(io.BytesIO(data)).info.get("nclx_profile") or {}
    return profile.get("transfer_characteristics")


def _too_large(name: str | Path) -> SourceError:
    most = MAX_PIXELS // 1_000_000
    return SourceError(f"{name} is too large; expected at most {most} megapixels")


def _by_opencv(data: bytes, upright: bool) -> ImageBgr:
    # IMREAD_COLOR makes three channels of 8 bits of everything and applies the orientation.
    flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    with quiet():
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise ValueError
    return np.asarray(image)


def _by_pillow(opened: Any, upright: bool) -> ImageBgr:
    from PIL import ImageOps

    shown = ImageOps.exif_transpose(opened) if upright else opened
    if shown.mode.startswith("I;16"):
        return np.dstack([(np.asarray(shown) >> 8).astype(np.uint8)] * 3)
    image_rgb = np.asarray(shown.convert("RGB"), np.uint8)
    return np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
