"""Images of a file, upright and in the colours of a screen: the same reader for every way in.

Pillow tells what a file is and how large before anything of it is decoded, and reads JPEG, PNG,
HEIC (through pillow-heif), AVIF, GIF, and all that moves; OpenCV reads the other formats.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np

from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr, check_image
from livepose.paths import is_file
from livepose.sources.files import read_bytes
from livepose.sources.frames import HDR_CURVES, quiet_opencv, to_sdr
from livepose.sources.source import WHOLE, Excerpt, FileSource, check_rotation, turned

logger = logging.getLogger(__name__)

MAX_PIXELS = 110_000_000
"""What the largest common phones take (108 megapixels); decoding it takes 1.5 GB at most."""
_MAX_BYTES = 1 << 29
_PLAIN_DURATION_S, _LEAST_DURATION_S = 0.1, 0.011
"""Of an image that says less, in browsers too."""


class _Format(NamedTuple):
    suffixes: tuple[str, ...]
    by_opencv: bool = False
    """Not for JPEG and PNG: of their damage OpenCV tells on stderr, past every log."""
    moves: bool = False
    by_ffmpeg: bool = True
    """Otherwise it shows a tile of it, or nothing."""


_FORMATS = {
    "JPEG": _Format((".jpg", ".jpeg", ".jpe", ".jfif")),
    "PNG": _Format((".png", ".apng"), moves=True),
    "GIF": _Format((".gif",), moves=True),
    "WEBP": _Format((".webp",), by_opencv=True, moves=True, by_ffmpeg=False),
    "AVIF": _Format((".avif",), moves=True, by_ffmpeg=False),
    "HEIF": _Format((".heic", ".heif", ".hif"), by_ffmpeg=False),
    "TIFF": _Format((".tif", ".tiff"), by_opencv=True),
    "BMP": _Format((".bmp",), by_opencv=True),
    "PPM": _Format((".ppm", ".pgm", ".pnm"), by_opencv=True),
    "JPEG2000": _Format((".jp2",), by_opencv=True),
}
"""All that Pillow may try, by its names: for PostScript it would start an interpreter."""
IMAGE_SUFFIXES = frozenset(suffix for form in _FORMATS.values() for suffix in form.suffixes)


class ImageSource(FileSource):
    """Images one after another; ``Frame.name`` is the path, ``time_s`` the index in seconds.

    One that cannot be read is reported and left out; SourceError where that are all of them.
    """

    kind = "images"

    def __init__(self, paths: Sequence[Path], *, name: str | None = None, rotate: int = 0) -> None:
        self.name = name or (str(paths[0]) if len(paths) == 1 else f"{len(paths)} images")
        self.frame_count = len(paths)
        if not self._start(self._read(list(paths), check_rotation(rotate))):
            raise SourceError(f"{self.name}: none of the images can be read")

    @staticmethod
    def _read(paths: list[Path], rotate: int) -> Iterator[Frame]:
        index = 0
        for path in paths:
            try:
                image_bgr = read_image(path)
            except SourceError as error:
                if len(paths) == 1:
                    raise
                logger.warning(f"left out: {error}")
                continue
            yield Frame(turned(image_bgr, rotate), float(index), index, name=str(path))
            index += 1
        if unread := len(paths) - index:
            logger.warning(f"{unread} of {len(paths)} images could not be read")


class AnimationSource(FileSource):
    """The frames of an animated GIF, WebP, PNG or AVIF, each with its time.

    Raises SourceError when there is none; while iterating, where the file is damaged.
    """

    def __init__(self, path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE) -> None:
        self.name, self.excerpt = str(path), excerpt
        if not self._start(self._read(path, check_rotation(rotate))):
            raise SourceError(f"{path} has no frame from {excerpt.start_s:g} s on")

    def _read(self, path: str | Path, rotate: int) -> Iterator[Frame]:
        timed = _animation(read_bytes(path, "an image", _MAX_BYTES), path)
        for index, time_s, image_bgr in self.excerpt.select(timed):
            yield Frame(turned(image_bgr, rotate), time_s, index)


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
        if _form(opened).by_opencv:
            return _by_opencv(data, upright)
        image_bgr = _by_pillow(opened, upright)
        curve = _transfer_curve(data) if opened.format in ("HEIF", "AVIF") else None
        return to_sdr(image_bgr, curve) if curve in HDR_CURVES else image_bgr


def as_image_bgr(image: Any) -> ImageBgr:
    """An image as (H, W, 3), blue first: a path is read, one of PIL's is turned upright.

    Raises SourceError when the file is no image, UsageError for what is none of these.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if hasattr(image, "getexif") and hasattr(image, "convert"):  # PIL is loaded, or not needed
        return _by_pillow(image, upright=True)
    check_image(image)
    image_bgr: ImageBgr = image
    return image_bgr


def identify(path: str | Path) -> Literal["animation", "image", ""]:
    """``animation`` for images with times, ``image`` for one that FFmpeg would not show."""
    if not is_file(path):  # a pipe can be read only once
        return ""
    with suppress(SourceError), _sentences(path), Path(path).open("rb") as file, _open(file) as it:
        if _form(it).moves and _is_several(it):
            return "animation"
        return "" if _form(it).by_ffmpeg else "image"
    return ""  # whoever reads it tells why


def _animation(data: bytes, name: str | Path) -> Iterator[tuple[ImageBgr, float]]:
    """The images (H, W, 3) of such a file, each with its time."""
    time_s = 0.0
    with _sentences(name):
        opened = _open(io.BytesIO(data))
        frames = opened.n_frames
    for index in range(frames):
        with _sentences(name):
            opened.seek(index)
            image_bgr = _by_pillow(opened, upright=True)
            duration_s = float(opened.info.get("duration") or 0) / 1000
        yield image_bgr, time_s
        time_s += duration_s if duration_s >= _LEAST_DURATION_S else _PLAIN_DURATION_S


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
    opened = Image.open(file, formats=tuple(_FORMATS))
    if opened.width * opened.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    return opened


def _form(opened: Any) -> _Format:
    return _FORMATS.get(opened.format, _FORMATS["JPEG"])  # MPO: a JPEG with more behind it


def _is_several(opened: Any) -> bool:
    return opened.format != "MPO" and bool(getattr(opened, "is_animated", False))


def _transfer_curve(data: bytes) -> int | None:
    """How the values of a HEIC or AVIF become light, by H.273's numbers."""
    from pillow_heif import open_heif

    profile = open_heif(io.BytesIO(data)).info.get("nclx_profile") or {}
    return profile.get("transfer_characteristics")


def _by_opencv(data: bytes, upright: bool) -> ImageBgr:
    # IMREAD_COLOR makes three channels of 8 bits of everything and applies the orientation.
    flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    with quiet_opencv():
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
