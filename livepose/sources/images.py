"""Still pictures: files, folders and glob patterns; turned as their EXIF orientation says."""

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.sources._quiet import quiet
from livepose.sources.protocol import Closing, Kind, Report, check_rotation, print_report, turned

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2")
)


class ImageSource(Closing):
    """Pictures one after another; ``Frame.name`` is the path, ``time_s`` the index in seconds.

    A picture that cannot be read is reported and left out; indices count the others.

    Raises
    ------
    SourceError
        When none of the pictures can be read.
    """

    kind: Kind = "images"
    live = False
    fps = None

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str | None = None,
        rotate: int = 0,
        report: Report = print_report,
    ) -> None:
        self.name = name or (str(paths[0]) if len(paths) == 1 else f"{len(paths)} pictures")
        self._paths, self._rotate, self._report = list(paths), check_rotation(rotate), report
        self._closed = False
        self._pictures = self._read_all()
        self._first = next(self._pictures, None)
        if self._first is None:
            raise SourceError(f"{self.name}: none of the pictures can be read")
        self._size_wh = self._first.size_wh

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the newest picture, after rotation."""
        return self._size_wh

    @property
    def frame_count(self) -> int | None:
        """Number of files, readable or not."""
        return len(self._paths)

    def __iter__(self) -> Iterator[Frame]:
        frame = self._first
        while frame is not None and not self._closed:
            self._size_wh = frame.size_wh
            yield frame
            frame = next(self._pictures, None)

    def close(self) -> None:
        """Ends the iteration; a second call does nothing."""
        self._closed = True

    def _read_all(self) -> Iterator[Frame]:
        index = 0
        for path in self._paths:
            try:
                image_bgr = read_picture(path)
            except SourceError as error:
                if len(self._paths) == 1:
                    raise
                self._report(f"left out: {error}")
                continue
            yield Frame(turned(image_bgr, self._rotate), float(index), index, name=str(path))
            index += 1


def read_picture(path: Path) -> ImageBgr:
    """One picture as (H, W, 3), upright; SourceError says why there is none."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist; expected a picture") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if data.size == 0:
        raise SourceError(f"{path} is empty (0 bytes); expected a picture")
    image_bgr = _decode(data)
    if image_bgr is None:
        raise SourceError(f"{path} is not a picture that can be read; is it damaged?")
    return image_bgr


def _decode(data: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> ImageBgr | None:
    # IMREAD_COLOR makes three channels of 8 bits of everything and applies the orientation.
    try:
        with quiet():
            image_bgr: ImageBgr | None = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return image_bgr


def find_pictures(spec: str | Path) -> list[Path]:
    """Paths that a file, folder or glob pattern stands for, in natural order.

    Raises
    ------
    SourceError
        When there is nothing.
    """
    path = Path(spec)
    if path.is_dir():
        found = [entry for entry in path.iterdir() if is_picture(entry) and entry.is_file()]
        if not found:
            raise SourceError(f"{path} holds no pictures; expected {', '.join(sorted(SUFFIXES))}")
    elif is_pattern(spec) and not path.exists():
        matches = [Path(match) for match in glob.glob(str(spec), recursive=True)]  # noqa: PTH207
        found = [match for match in matches if is_picture(match)]
        if not found:
            raise SourceError(f"{spec} matches no picture; is the pattern right?")
    elif not path.exists():
        raise SourceError(f"{path} does not exist; expected a picture")
    else:
        found = [path]
    return sorted(found, key=_natural)


def is_picture(path: Path) -> bool:
    """Whether the suffix is that of a picture."""
    return path.suffix.lower() in SUFFIXES


def is_pattern(spec: str | Path) -> bool:
    """Whether this is a glob pattern."""
    return glob.has_magic(str(spec))


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Orders img2 before img10."""
    parts = re.split(r"(\d+)", str(path))
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
