"""One picture of a file, upright: the same reader for every way in.

What OpenCV reads, OpenCV reads. Pillow tells what a file is and how large before anything of it is
decoded, and reads the rest: HEIC (through pillow-heif), AVIF and GIF.
"""

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SourceError
from livepose.frame import ImageBgr, check_image
from livepose.sources._files import read_bytes
from livepose.sources._quiet import quiet

logger = logging.getLogger(__name__)

MAX_PIXELS = 110_000_000
"""What the largest common phones take (108 megapixels); decoding it takes 1.5 GB at most."""
_MAX_BYTES = 1 << 29
_MAX_CUT_BYTES = 1 << 26

_BY_OPENCV = frozenset(("JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000"))
_ANIMATED = frozenset(("GIF", "WEBP", "PNG", "AVIF", "HEIF", "TIFF"))


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
    return decode_image(read_bytes(path, "a picture", _MAX_BYTES), path)


def decode_image(data: bytes, name: str | Path, *, upright: bool = True) -> ImageBgr:
    """One picture (H, W, 3) from the bytes of a file; as it is stored where not ``upright``.

    Raises
    ------
    SourceError
        When there is none, or it is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image_bgr = _decode(data, name, upright)
    except SourceError:
        raise
    except Exception as error:
        # Files are hostile, and the errors of so many decoders have nothing in common.
        if type(error).__name__ == "DecompressionBombError":
            raise _too_large(name) from None
        image_bgr = None
    if image_bgr is None:
        raise SourceError(f"{name} is not a picture that can be read; is it damaged?")
    return image_bgr


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


def _decode(data: bytes, name: str | Path, upright: bool) -> ImageBgr | None:
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    opened = Image.open(io.BytesIO(data))
    if opened.width * opened.height > MAX_PIXELS:
        raise _too_large(name)
    if opened.format in _ANIMATED and getattr(opened, "is_animated", False):
        logger.info(f"{name} holds several pictures; only the first is taken")
        opened.seek(0)
    if opened.format == "PNG" and not _chunks_fit(data):
        return None
    by_opencv = opened.format in _BY_OPENCV
    return _by_opencv(data, upright) if by_opencv else _by_pillow(opened, upright)


def _too_large(name: str | Path) -> SourceError:
    most = MAX_PIXELS // 1_000_000
    return SourceError(f"{name} is too large; expected at most {most} megapixels")


def _chunks_fit(png: bytes) -> bool:
    """Whether no chunk says that it is much longer than the file: OpenCV makes room for it."""
    start = 8
    while start + 8 <= len(png):
        length = int.from_bytes(png[start : start + 4])
        if length > len(png) - start + _MAX_CUT_BYTES:
            return False
        start += 12 + length
    return True


def _by_opencv(data: bytes, upright: bool) -> ImageBgr | None:
    # IMREAD_COLOR makes three channels of 8 bits of everything and applies the orientation.
    flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    with quiet():
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return None if image is None else np.asarray(image)


def _by_pillow(opened: Any, upright: bool) -> ImageBgr:
    from PIL import ImageOps

    shown = ImageOps.exif_transpose(opened) if upright else opened
    return np.ascontiguousarray(np.asarray(shown.convert("RGB"), np.uint8)[..., ::-1])
