"""Images of a file, upright and in the colours of a screen: the same reader for every way in.

Pillow tells what a file is and how large before anything of it is decoded, and reads it: HEIC
through pillow-heif.
"""

import io
import logging
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from livepose.errors import SourceError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.paths import is_file
from livepose.sources.files import read_bytes
from livepose.sources.frames import HDR_CURVES, MAX_PIXELS, to_sdr
from livepose.sources.source import Excerpt

logger = logging.getLogger(__name__)

_MAX_BYTES = 1 << 29
_PLAIN_DURATION_S, _LEAST_DURATION_S = 0.1, 0.011
"""Of an image that says less, in browsers too."""
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "PPM": (".ppm", ".pgm", ".pnm"),
    "JPEG2000": (".jp2",),
}
"""All that Pillow may try, by its names: for PostScript it would start an interpreter."""
_MOVING = ("GIF", "PNG", "WEBP", "AVIF")
_NOT_BY_FFMPEG = ("WEBP", "AVIF", "HEIF")
"""It shows a tile of them, or nothing."""
IMAGE_SUFFIXES = frozenset(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)


def image_frames(paths: Sequence[Path], name: str) -> Generator[Frame, None, None]:
    """Images one after another; ``Frame.name`` is the path, ``time_s`` the index in seconds.

    One that cannot be read is reported and left out; SourceError where that are all of them.
    """
    index = 0
    for path in paths:
        try:
            image_bgr = read_image(path)
        except SourceError as error:
            if len(paths) == 1:
                raise
            logger.warning(f"left out: {error}")
            continue
        yield Frame(image_bgr, float(index), index, name=str(path))
        index += 1
    if index == 0:
        raise SourceError(f"{name}: none of the images can be read")
    if unread := len(paths) - index:
        logger.warning(f"{unread} of {len(paths)} images could not be read")


def animation_frames(path: str | Path, excerpt: Excerpt) -> Generator[Frame, None, None]:
    """The frames of an animated GIF, WebP, PNG or AVIF, each with its time.

    Raises SourceError when there is none, and where the file is damaged.
    """
    none = True
    for index, time_s, image_bgr in excerpt.select(_animation(path)):
        none = False
        yield Frame(image_bgr, time_s, index)
    if none:
        raise SourceError(f"{path} has no frame from {excerpt.start_s:g} s on")


def _animation(path: str | Path) -> Iterator[tuple[ImageBgr, float]]:
    data, time_s = read_bytes(path, "an image", _MAX_BYTES), 0.0
    with _sentences(path):
        opened = _open(io.BytesIO(data))
        count = opened.n_frames
    for index in range(count):
        with _sentences(path):
            opened.seek(index)
            image_bgr = _decoded(opened)
            duration_s = float(opened.info.get("duration") or 0) / 1000
        yield image_bgr, time_s
        time_s += duration_s if duration_s >= _LEAST_DURATION_S else _PLAIN_DURATION_S


def read_image(path: str | Path) -> ImageBgr:
    """One image of a file or pipe as (H, W, 3), upright, or a SourceError."""
    return decode_image(read_bytes(path, "an image", _MAX_BYTES), path)


def decode_image(data: bytes, name: str | Path, *, upright: bool = True) -> ImageBgr:
    """One image (H, W, 3) from the bytes of a file; as it is stored where not ``upright``.

    Raises SourceError when there is none, or it is larger than ``MAX_PIXELS``.
    """
    with _sentences(name):
        opened = _open(io.BytesIO(data))
        if _is_several(opened):
            logger.info(f"{name} holds several images; only the first is taken")
            opened.seek(0)
        image_bgr = _decoded(opened, upright)
        curve = _transfer_curve(data) if opened.format in ("HEIF", "AVIF") else None
        return to_sdr(image_bgr, curve) if curve in HDR_CURVES else image_bgr


def as_image_bgr(image: Any) -> ImageBgr:
    """An image as (H, W, 3), blue first: a path is read, one of PIL's is turned upright.

    Raises SourceError when the file is no image, UsageError for what is none of these.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if hasattr(image, "getexif") and hasattr(image, "convert"):  # PIL is loaded, or not needed
        return _decoded(image)
    shape, kind = np.shape(image), getattr(image, "dtype", type(image))
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
        raise UsageError(f"image_bgr: expected uint8 of shape (H, W, 3), got {kind} {shape}")
    image_bgr: ImageBgr = image
    return image_bgr


def identify(path: str | Path) -> Literal["animation", "image", ""]:
    """``animation`` for images with times, ``image`` for one that FFmpeg would not show."""
    if not is_file(path):  # a pipe can be read only once
        return ""
    with suppress(SourceError), _sentences(path), Path(path).open("rb") as file, _open(file) as it:
        if it.format in _MOVING and _is_several(it):
            return "animation"
        return "image" if it.format in _NOT_BY_FFMPEG else ""
    return ""  # whoever reads it tells why


@contextmanager
def _sentences(name: str | Path) -> Iterator[None]:
    """Turns whatever a decoder raises into one sentence: their errors have nothing in common."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        if type(error).__name__ == "DecompressionBombError":
            most = f"{MAX_PIXELS // 1_000_000} megapixels"
            raise SourceError(f"{name} is too large; expected at most {most}") from None
        raise SourceError(f"{name} is not an image that can be read; is it damaged?") from None


def _open(file: Any) -> Any:
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    opened = Image.open(file, formats=tuple(_SUFFIXES))
    if opened.width * opened.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    return opened


def _is_several(opened: Any) -> bool:
    # MPO is a JPEG with more behind it.
    return opened.format != "MPO" and bool(getattr(opened, "is_animated", False))


def _transfer_curve(data: bytes) -> int | None:
    """How the values of a HEIC or AVIF become light, by H.273's numbers."""
    from pillow_heif import open_heif

    profile = open_heif(io.BytesIO(data)).info.get("nclx_profile") or {}
    return profile.get("transfer_characteristics")


def _decoded(opened: Any, upright: bool = True) -> ImageBgr:
    from PIL import ImageOps

    shown = ImageOps.exif_transpose(opened) if upright else opened
    if shown.mode.startswith("I"):  # grey of 16 bits
        return np.dstack([(np.asarray(shown) >> 8).astype(np.uint8)] * 3)
    image_rgb = np.asarray(shown.convert("RGB"), np.uint8)
    return np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
