"""Files that are written: of whole lines, whole or not at all, one for each frame."""

import math
import os
import re
import sys
import time
from pathlib import Path

from livepose.errors import UsageError
from livepose.files import OutputFile, write_whole
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.sink import Sink, check_file, check_folder, written

_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
Rotation = tuple[float, float]
"""How many bytes, and for how many seconds, are written before a file is put aside."""


def parse_rotation(text: str) -> Rotation:
    """Limits of bytes and seconds, as ``100MB`` or ``1h`` says them; UsageError for others."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(KB|MB|GB|s|m|h|d)", text)
    if found is None or float(found[1]) <= 0:
        raise UsageError(f"--rotate: expected a size or time such as 100MB or 1h, got {text!r}")
    limit = float(found[1]) * _UNITS[found[2]]
    return (limit, math.inf) if found[2].endswith("B") else (math.inf, limit)


class LineSink(Sink):
    """Writes lines to a file, or to stdout for "-": each is on its way when ``write`` returns.

    Each file starts with ``opening``. When the disk fills up in the middle of a line, that line is
    taken back, so that the file holds whole lines only. With a ``rotation`` a file is put aside
    when it is large or old enough, and at the start, under its name with the time (UTC).
    """

    def __init__(
        self, path: str | Path, opening: str, rotation: Rotation | None, *, overwrite: bool
    ) -> None:
        self._is_stdout = str(path) == "-"
        self._path = Path("stdout") if self._is_stdout else Path(path)
        self._opening, self._overwrite = opening, overwrite
        self._rotation = None if self._is_stdout else rotation
        self._start()

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the lines of one frame."""
        most_bytes, longest_s = self._rotation or (math.inf, math.inf)
        if self._whole_bytes >= most_bytes or time.monotonic() - self._begun_s >= longest_s:
            self.close()
            self._start()
        self._put(self._text(frame, poses))

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        with written(self._path):
            self._file.close()

    def _text(self, frame: Frame, poses: Poses) -> str:
        """The lines of one frame, each with its newline."""
        raise NotImplementedError

    def _start(self) -> None:
        self._whole_bytes, self._begun_s = 0, time.monotonic()
        if self._rotation is not None:
            _put_aside(self._path)
        if not self._is_stdout:
            check_file(self._path, overwrite=self._overwrite)
        where = sys.stdout.fileno() if self._is_stdout else self._path
        with written(self._path):
            self._file = OutputFile(where, "w", closefd=not self._is_stdout)
        self._put(self._opening)

    def _put(self, text: str) -> None:
        data = as_utf8(text)
        with written(self._path):
            try:
                self._file.write(data)
            except OSError:
                if not self._is_stdout and self._path.is_file():
                    self._file.truncate(self._whole_bytes)
                self._file.close()
                raise
        self._whole_bytes += len(data)


def as_utf8(text: str) -> bytes:
    """Letters that UTF-8 does not know, from old file names, are escaped."""
    return text.encode(errors="backslashreplace")


def _put_aside(path: Path) -> None:
    """Renames a file that is there: poses.jsonl -> poses-20260131T235959Z.jsonl."""
    if path.is_file():
        stem = f"{path.stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        target, number = path.with_stem(stem), 1
        while os.path.lexists(target):
            number += 1
            target = path.with_stem(f"{stem}-{number}")
        with written(path):
            path.rename(target)


def write_output(path: str | Path, data: str | bytes) -> None:
    """Writes a file, whole or not at all; SinkError when that fails."""
    with written(Path(path)):
        write_whole(Path(path), as_utf8(data) if isinstance(data, str) else data)


class FrameNames:
    """What the file of each frame is called: as its image is, or by a stem and its number.

    The stem comes from what a source is called: in.mp4 -> in, camera 0 -> camera_0. The second of
    two images of the same name (from two folders) gets its number too.
    """

    def __init__(self, source: str) -> None:
        stem = Path(source.rstrip("/")).stem or "livepose"
        self._stem = "".join(one if one.isalnum() or one in "-._" else "_" for one in stem)
        self._given: set[str] = set()

    def __call__(self, frame: Frame) -> str:
        """The name, without suffix."""
        number = f"{frame.index:012d}"
        if frame.name is None:
            return f"{self._stem}_{number}"
        name = Path(frame.name).stem
        name = f"{name}_{number}" if name in self._given else name
        self._given.add(name)
        return name


class FolderSink(Sink):
    """Writes a file for each frame into a folder, which is made inside one that exists.

    The files are called as their images are, or by ``stem`` and number.
    """

    def __init__(
        self, folder: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        self._folder, self._names = Path(folder), FrameNames(stem)
        check_folder(self._folder, overwrite=overwrite)
