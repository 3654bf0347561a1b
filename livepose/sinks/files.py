"""Files that are written: of whole lines, whole or not at all, one for each frame."""

import errno
import io
import math
import os
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from livepose.errors import UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.sink import Sink, check_file, check_folder, is_device, written

_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_READER_PATIENCE_S = 20.0
Rotation = tuple[float, float]
"""How many bytes, and for how many seconds, are written before a file is put aside."""


class OutputFile(io.FileIO):
    """A file that takes all of the data that is written, and nothing after a failure or its end.

    So a muxer that could not write its last part cannot go back and note that all is well.
    """

    failure: OSError | None = None

    def __init__(self, file: int | Path, mode: str, closefd: bool = True) -> None:
        is_pipe = isinstance(file, Path) and file.is_fifo()
        super().__init__(file, mode, closefd, _opened_pipe if is_pipe else None)

    def write(self, data: Any) -> int:
        """Writes all of it; raises the failure once."""
        rest = memoryview(data)
        try:
            while rest and self.failure is None and not self.closed:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
            raise
        return len(data)


def _opened_pipe(path: str, flags: int) -> int:
    """Waits for the reader of a pipe, but not forever: that could not be interrupted."""
    until_s = time.monotonic() + _READER_PATIENCE_S
    while True:
        try:
            opened = os.open(path, flags | os.O_NONBLOCK)
            os.set_blocking(opened, True)
            return opened
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until_s:
                raise
            time.sleep(0.05)


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


class WholeFile:
    """A file that appears under its name, whole, when it is closed.

    Until then it has a new name beside that one, so that an earlier file is never half replaced,
    and two runs do not write into one. After an error the earlier file stays. Devices and pipes
    are written into.
    """

    def __init__(self, path: Path) -> None:
        self._path = self._part = path
        if not is_device(path):
            self._part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
        with written(path):
            self.file = OutputFile(self._part, "w" if self._part is path else "x")

    def write(self, data: bytes) -> None:
        """Adds to it."""
        with written(self._path):
            self.file.write(data)

    def close(self) -> None:
        """Gives the file its name; a second call does nothing."""
        with written(self._path):
            self.file.close()
            if self._part is not self._path:
                if self.file.failure is None:
                    self._part.replace(self._path)
                self._part.unlink(missing_ok=True)
        self._part = self._path


def write_whole(path: Path, data: str | bytes) -> None:
    """Writes a file, whole or not at all; SinkError when that fails."""
    file = WholeFile(path)
    try:
        file.write(as_utf8(data) if isinstance(data, str) else data)
    finally:
        file.close()


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
