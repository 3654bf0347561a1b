"""One word for every source: an index, a device, an address, a file, a folder, a pattern."""

import logging
from collections.abc import Sequence
from pathlib import Path

from livepose.errors import SourceError, UsageError
from livepose.paths import exists, is_folder
from livepose.sources.address import local_path, scheme_of, suffix_of
from livepose.sources.animation import AnimationSource
from livepose.sources.camera import open_camera
from livepose.sources.decoding import is_animation, is_no_video
from livepose.sources.devices import find_by_name
from livepose.sources.excerpt import WHOLE, Excerpt
from livepose.sources.find import (
    VIDEO_SUFFIXES,
    find_images,
    is_pattern,
    is_still,
    left_out_words,
)
from livepose.sources.images import ImageSource
from livepose.sources.live import LiveSettings
from livepose.sources.protocol import Source
from livepose.sources.stream import open_stream
from livepose.sources.video import VideoSource

logger = logging.getLogger(__name__)


def open_source(
    spec: str | int | Path,
    *,
    camera_size: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    rotate: int = 0,
    live: LiveSettings | None = None,
    excerpt: Excerpt = WHOLE,
) -> Source:
    """Opens whatever ``spec`` names.

    Parameters
    ----------
    spec : str, int or Path
        A camera (index, device path, name), an address (``rtsp://``, ``http://``), a video file,
        a picture, a folder of pictures, or a glob pattern.
    camera_size : (int, int), optional
        Width and height that a camera is asked for.
    camera_fps : float, optional
        Frames a second that a camera is asked for.
    rotate : {0, 90, 180, 270}
        Degrees clockwise by which every frame is turned.
    live : LiveSettings, optional
        How patient a camera or stream is.
    excerpt : Excerpt
        The part of a video file that is wanted.

    Raises
    ------
    SourceError
        When it cannot be opened.
    UsageError
        When ``spec`` is empty or negative, or ``rotate`` is another number.
    """
    text = str(spec).strip()
    if not text or (isinstance(spec, int) and spec < 0):
        raise UsageError(f"source: expected an index, path, address or pattern, got {spec!r}")
    try:
        if _is_camera(text):
            return open_camera(
                text, camera_size=camera_size, camera_fps=camera_fps, rotate=rotate, settings=live
            )
        if "://" in text:
            return open_address(text, rotate=rotate, live=live, excerpt=excerpt)
        return _open_path(text, rotate, excerpt)
    except OSError as error:
        raise SourceError(f"cannot read {spec}: {error.strerror or error}") from None


def _is_camera(text: str) -> bool:
    if text.isdecimal() or text.startswith("/dev/video"):
        return True
    path = Path(text)
    plain = not path.suffix and "://" not in text and not is_pattern(text)
    return plain and not exists(text) and find_by_name(text) is not None


def _open_path(text: str, rotate: int, excerpt: Excerpt) -> Source:
    if is_folder(text) or is_still(Path(text)) or is_pattern(text):
        return open_images(text, rotate=rotate)
    return open_video(text, rotate=rotate, excerpt=excerpt)


def open_address(
    url: str, *, rotate: int = 0, live: LiveSettings | None = None, excerpt: Excerpt = WHOLE
) -> Source:
    """A file (``file://``), a video file behind http(s), known by its suffix, or a live stream."""
    if scheme_of(url) == "file":
        return _open_path(local_path(url), rotate, excerpt)
    if scheme_of(url) in ("http", "https") and suffix_of(url) in (*VIDEO_SUFFIXES, ".gif"):
        return VideoSource(url, rotate=rotate, excerpt=excerpt)
    return open_stream(url, rotate=rotate, settings=live)


def open_video(
    path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE
) -> VideoSource | AnimationSource:
    """A video file, or a picture that moves; a folder or a picture pattern is an error here."""
    if is_animation(path):
        return AnimationSource(path, rotate=rotate, excerpt=excerpt)
    if is_no_video(path):
        raise SourceError(f"{path} is a picture; --image and --source read it")
    return VideoSource(path, rotate=rotate, excerpt=excerpt)


def open_images(specs: str | Path | Sequence[str | Path], *, rotate: int = 0) -> ImageSource:
    """Pictures by one or more files, folders and glob patterns; says what else lies there.

    Raises
    ------
    SourceError
        When there is none.
    """
    several = [specs] if isinstance(specs, str | Path) else list(specs)
    try:
        found = [find_images(spec) for spec in several]
    except OSError as error:
        raise SourceError(f"cannot read {error.filename}: {error.strerror}") from None
    paths = [path for pictures, _ in found for path in pictures]
    if not paths:
        raise SourceError("no pictures were named; expected files, a folder or a pattern")
    if words := left_out_words(one for _, others in found for one in others):
        logger.info(words)
    name = str(several[0]) if len(several) == 1 else None
    return ImageSource(paths, name=name, rotate=rotate)
