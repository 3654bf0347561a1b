"""One word for every source: an index, a device, an address, a file, a folder, a pattern."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from livepose.errors import SourceError, UsageError
from livepose.sources.camera import open_camera
from livepose.sources.devices import find_by_name
from livepose.sources.images import ImageSource, find_pictures, is_pattern, is_picture
from livepose.sources.protocol import Report, Source, print_report
from livepose.sources.stream import masked, open_stream
from livepose.sources.video import VideoSource

_FILE_SUFFIXES = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".ts",
        ".flv",
        ".ogv",
        ".gif",
    )
)


def open_source(
    spec: str | int | Path,
    *,
    camera_size: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    rotate: int = 0,
    report: Report = print_report,
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
    report : callable
        Takes sentences about what happens; prints to stderr unless given.

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
    if text.isdecimal() or text.startswith("/dev/video"):
        return open_camera(
            text, camera_size=camera_size, camera_fps=camera_fps, rotate=rotate, report=report
        )
    if "://" in text:
        return open_address(text, rotate=rotate, report=report)
    path = Path(text)
    if path.is_dir() or is_picture(path) or (is_pattern(text) and not path.exists()):
        return open_images(text, rotate=rotate, report=report)
    if not path.exists() and not path.suffix and find_by_name(text):
        return open_camera(
            text, camera_size=camera_size, camera_fps=camera_fps, rotate=rotate, report=report
        )
    return open_video(text, rotate=rotate, report=report)


def open_address(url: str, *, rotate: int = 0, report: Report = print_report) -> Source:
    """A video file behind http(s), known by its suffix, or else a live stream."""
    parts = urlsplit(url)
    suffix = PurePosixPath(parts.path).suffix.lower()
    if parts.scheme == "file":
        return open_source(parts.path, rotate=rotate, report=report)
    if parts.scheme in ("http", "https") and suffix in _FILE_SUFFIXES:
        return VideoSource(url, rotate=rotate, report=report, name=masked(url))
    return open_stream(url, rotate=rotate, report=report)


def open_video(path: str | Path, *, rotate: int = 0, report: Report = print_report) -> VideoSource:
    """A video file; a folder or a picture pattern is an error here."""
    return VideoSource(path, rotate=rotate, report=report)


def open_images(
    specs: str | Path | Sequence[str | Path],
    *,
    rotate: int = 0,
    report: Report = print_report,
) -> ImageSource:
    """Pictures by one or more files, folders and glob patterns."""
    several = [specs] if isinstance(specs, str | Path) else list(specs)
    paths = [path for spec in several for path in find_pictures(spec)]
    if not paths:
        raise SourceError("no pictures were named; expected files, a folder or a pattern")
    name = str(several[0]) if len(several) == 1 else None
    return ImageSource(paths, name=name, rotate=rotate, report=report)
