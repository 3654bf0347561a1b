"""What files, folders and patterns hold: videos, pictures, and what is left out."""

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from livepose.errors import SourceError
from livepose.paths import exists, is_folder
from livepose.sources.decoding import is_animation

# fmt: off
IMAGE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2",
    ".jfif", ".pnm", ".apng", ".heic", ".heif", ".hif", ".avif", ".gif",
))
VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".flv", ".ogv", ".wmv", ".3gp", ".dv", ".mxf", ".vob", ".mjpeg", ".mjpg", ".h264", ".264",
    ".h265", ".265", ".hevc", ".m2v", ".ivf", ".y4m",
))
# fmt: on
_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A file and what it holds, by its name; ``kind`` is None where it is left out."""

    path: Path
    kind: Literal["video", "image"] | None
    reason: str = ""
    """Why it is left out."""


def find_sources(specs: Iterable[str | Path], *, recursive: bool = False) -> list[FoundSource]:
    """The videos and pictures that files, folders and glob patterns stand for.

    A file that is named itself and has an unknown suffix counts as a video; in a folder or
    pattern it is left out. Hidden files are passed over.

    Parameters
    ----------
    specs : iterable of str or Path
    recursive : bool
        Whether folders within folders are searched too.

    Returns
    -------
    list of FoundSource
        In natural order (img2 before img10) within each of ``specs``, nothing twice.

    Raises
    ------
    SourceError
        When a file does not exist, or a pattern matches nothing.
    """
    found: dict[Path, FoundSource] = {}
    for spec in specs:
        several = _expand(spec, recursive)
        if not several and is_pattern(spec):
            raise SourceError(f"{spec} matches nothing; is the pattern right?")
        found.update((one.path, one) for one in several)
    return list(found.values())


def find_images(spec: str | Path) -> tuple[list[Path], list[FoundSource]]:
    """The pictures that ``spec`` stands for, and what else lies there.

    A file that is named itself is taken for a picture whatever its suffix.

    Raises
    ------
    SourceError
        When there is none.
    """
    path = Path(spec)
    if not is_folder(spec) and not is_pattern(spec):
        _check_exists(path, "a picture")
        return [path], []
    found = _expand(spec, recursive=False)
    pictures = [one.path for one in found if one.kind == "image"]
    if not pictures and is_folder(spec):
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise SourceError(f"{path} holds no pictures; expected {known}")
    if not pictures:
        raise SourceError(f"{spec} matches no picture; is the pattern right?")
    return pictures, [one for one in found if one.kind != "image"]


def left_out_words(found: Iterable[FoundSource]) -> str:
    """What is left out, counted and named; empty when that is nothing."""
    names = [f"{one.path.name} ({one.reason or f'a {one.kind}'})" for one in found]
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{len(names)} left out: {', '.join(names[:_MAX_NAMES])}{more}" if names else ""


def is_image(path: Path) -> bool:
    """Whether the suffix is that of a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_still(path: Path) -> bool:
    """Whether this is a picture that does not move."""
    return is_image(path) and not is_animation(path)


def is_pattern(spec: str | Path) -> bool:
    """Whether this is a glob pattern, and not a file of that very name."""
    return glob.has_magic(str(spec)) and not exists(spec)


def _expand(spec: str | Path, recursive: bool) -> list[FoundSource]:
    path = Path(spec)
    if is_folder(spec):
        return _sorted(path.rglob("*") if recursive else path.iterdir(), recursive)
    if not is_pattern(spec):
        _check_exists(path, "a video or picture")
        return [FoundSource(path, "image" if is_still(path) else "video")]
    matches = [Path(match) for match in glob.glob(str(spec), recursive=True)]  # noqa: PTH207
    return _sorted(matches, recursive)


def _sorted(paths: Iterable[Path], recursive: bool) -> list[FoundSource]:
    seen = [path for path in paths if not path.name.startswith(".")]
    entries = [path for path in seen if not (recursive and path.is_dir())]
    return [_classify(path) for path in sorted(entries, key=_natural)]


def _classify(path: Path) -> FoundSource:
    if path.is_dir():
        return FoundSource(path, None, "a folder")
    if not path.is_file():
        return FoundSource(path, None, "no regular file")
    if is_image(path):
        return FoundSource(path, "image")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return FoundSource(path, "video")
    return FoundSource(path, None, "neither video nor picture")


def _check_exists(path: Path, expected: str) -> None:
    if not exists(path):
        raise SourceError(f"{path} does not exist; expected {expected}")


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Orders img2 before img10."""
    parts = re.split(r"(\d+)", str(path))
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
