"""One word for every source: an index, a device, an address, a file, a folder, a pattern."""

import glob
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from livepose.errors import SourceError, UsageError
from livepose.paths import exists, is_folder
from livepose.sources.camera import open_camera
from livepose.sources.files import local_path
from livepose.sources.images import IMAGE_SUFFIXES, animation_frames, identify, image_frames
from livepose.sources.live import LiveSettings
from livepose.sources.source import WHOLE, Excerpt, FileSource, Source
from livepose.sources.video import VideoSource

logger = logging.getLogger(__name__)

# fmt: off
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".flv", ".ogv", ".wmv", ".3gp", ".dv", ".mxf", ".vob", ".mjpeg", ".mjpg", ".h264", ".264",
    ".h265", ".265", ".hevc", ".m2v", ".ivf", ".y4m",
))
# fmt: on
_MAX_NAMES = 5


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
        A camera (index, device path), an address (``rtsp://``, ``http://``), a video file,
        an image, a folder of images, or a glob pattern.
    camera_size, camera_fps
        Width and height, and frames a second, that a camera is asked for.
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
    text = str(spec) if exists(str(spec)) else str(spec).strip()
    if not text or (isinstance(spec, int) and spec < 0):
        raise UsageError(f"source: expected an index, path, address or pattern, got {spec!r}")
    try:
        if "://" in text and _is_file_of_web(text):
            return VideoSource(text, rotate=rotate, excerpt=excerpt)
        is_stream = "://" in text and not text.lower().startswith("file://")
        if is_stream or text.isdecimal() or text.startswith(("/dev/video", "/dev/v4l/")):
            return open_camera(
                text, camera_size=camera_size, camera_fps=camera_fps, rotate=rotate, settings=live
            )
        text = local_path(text) if "://" in text else text
        if is_folder(text) or _is_still(Path(text)) or _is_pattern(text):
            return open_images(text, rotate=rotate)
        return open_video(text, rotate=rotate, excerpt=excerpt)
    except OSError as error:
        raise SourceError(f"cannot read {spec}: {error.strerror or error}") from None


def _is_file_of_web(url: str) -> bool:
    """Whether its suffix says that a video file, and not a stream, is behind http(s)."""
    scheme, _, rest = url.partition("://")
    path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")[2]
    is_clip = PurePosixPath(path).suffix.lower() in (*VIDEO_SUFFIXES, ".gif")
    return is_clip and scheme.lower() in ("http", "https")


def open_video(path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE) -> FileSource:
    """A video file, or an image that moves; a folder or an image pattern is an error here."""
    found = identify(path)
    if found == "image":
        raise SourceError(f"{path} is an image; --image and --source read it")
    if found != "animation":
        return VideoSource(path, rotate=rotate, excerpt=excerpt)
    source = FileSource(animation_frames(path, excerpt), rotate)
    source.name = str(path)
    return source


def open_images(specs: str | Path | Sequence[str | Path], *, rotate: int = 0) -> FileSource:
    """Images by one or more files, folders and glob patterns; says what else lies there.

    Raises
    ------
    SourceError
        When one of them gives none, or none of the images can be read.
    """
    several, paths, others = [specs] if isinstance(specs, str | Path) else list(specs), [], []
    for spec in several:
        found = find_sources([spec])
        # Whoever names a file itself knows what it is.
        images = [one.path for one in found if one.kind == "image" or one.path == Path(spec)]
        if not images:
            known = ", ".join(sorted(IMAGE_SUFFIXES))
            raise SourceError(f"{spec} holds no images; expected {known}")
        paths += images
        others += [one for one in found if one.path not in images]
    if not paths:
        raise SourceError("no images were named; expected files, a folder or a pattern")
    if words := left_out_words(others):
        logger.info(words)
    name = str(several[0]) if len(several) == 1 else f"{len(paths)} images"
    source = FileSource(image_frames(paths, name), rotate)
    source.name, source.kind, source.frame_count = name, "images", len(paths)
    return source


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A file and what it holds, by its name; ``kind`` is None where it is left out."""

    path: Path
    kind: Literal["video", "image"] | None
    reason: str = ""
    """Why it is left out."""


def find_sources(specs: Iterable[str | Path], *, recursive: bool = False) -> list[FoundSource]:
    """The videos and images that files, folders and glob patterns stand for.

    A file that is named itself and has an unknown suffix counts as a video; in a folder or
    pattern it is left out. Hidden files are passed over, and folders within folders unless
    ``recursive``. Natural order (img2 before img10) within each of ``specs``, nothing twice.

    Raises
    ------
    SourceError
        When a file does not exist, or a pattern matches nothing.
    """
    try:
        found = [one for spec in specs for one in _found(spec, recursive)]
    except OSError as error:
        raise SourceError(f"cannot read {error.filename}: {error.strerror}") from None
    return list({one.path: one for one in found}.values())


def _found(spec: str | Path, recursive: bool) -> list[FoundSource]:
    if is_folder(spec):
        paths = list(Path(spec).rglob("*") if recursive else Path(spec).iterdir())
    elif _is_pattern(spec):
        paths = [Path(match) for match in glob.glob(str(spec), recursive=True)]  # noqa: PTH207
        if not paths:
            raise SourceError(f"{spec} matches nothing; is the pattern right?")
    elif exists(spec):
        return [FoundSource(Path(spec), "image" if _is_still(Path(spec)) else "video")]
    else:
        raise SourceError(f"{spec} does not exist; expected a video, an image or a folder")
    seen = [path for path in paths if not path.name.startswith(".")]
    kept = [path for path in seen if not (recursive and path.is_dir())]
    return [_classify(path) for path in sorted(kept, key=_natural)]


def _classify(path: Path) -> FoundSource:
    if not path.is_file():
        return FoundSource(path, None, "a folder" if path.is_dir() else "no regular file")
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES or suffix in VIDEO_SUFFIXES:
        return FoundSource(path, "image" if suffix in IMAGE_SUFFIXES else "video")
    return FoundSource(path, None, "neither video nor image")


def left_out_words(found: Iterable[FoundSource]) -> str:
    """What is left out, counted and named; empty when that is nothing."""
    names = [f"{one.path.name} ({one.reason or f'a {one.kind}'})" for one in found]
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{len(names)} left out: {', '.join(names[:_MAX_NAMES])}{more}" if names else ""


def _is_still(path: Path) -> bool:
    """Whether this is an image, by its suffix, that does not move."""
    return path.suffix.lower() in IMAGE_SUFFIXES and identify(path) != "animation"


def _is_pattern(spec: str | Path) -> bool:
    """Whether this is a glob pattern, and not a file of that very name."""
    return glob.has_magic(str(spec)) and not exists(spec)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Orders img2 before img10."""
    parts = re.split(r"(\d+)", str(path))
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
