"""Files that are written: of whole lines, whole or not at all, one for each frame."""

import os
import re
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from livepose.errors import SinkError, UsageError
from livepose.frame import Frame
from livepose.sinks.claims import check_file, is_device
from livepose.sinks.protocol import OutputClosed, sink_error

_SIZES = {"KB": 1e3, "MB": 1e6, "GB": 1e9}
_TIMES = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is put aside for a new one: at a size, or at an age."""

    size_bytes: float = float("inf")
    age_s: float = float("inf")

    @classmethod
    def parse(cls, text: str) -> Self:
        """``100MB`` or ``1h``; UsageError for what is neither a size nor a time.

        >>> Rotation.parse("100MB").size_bytes
        100000000.0
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(KB|MB|GB|s|m|h|d)", text)
        if found is None or float(found[1]) <= 0:
            raise UsageError(f"--rotate: expected a size or time such as 100MB or 1h, got {text!r}")
        number, unit = float(found[1]), found[2]
        if unit in _SIZES:
            return cls(size_bytes=number * _SIZES[unit])
        return cls(age_s=number * _TIMES[unit])


class LineFile:
    """Writes lines to a file, or to stdout for "-": each is on its way when ``write`` returns.

    When the disk fills up in the middle of a line, that line is taken back, so that the file
    holds whole lines only. Letters that UTF-8 does not know (from old file names) are escaped.

    Parameters
    ----------
    opening : str
        What each file starts with.
    rotation : Rotation, optional
        When to put the file aside, under its name with the time (UTC) at which that happened. A
        file that is there at the start is put aside too.

    Raises
    ------
    UsageError
        When the file is there already, and is neither to be replaced nor put aside.
    SinkError
        When the file cannot be written.
    OutputClosed
        When the reader of the pipe has gone.
    """

    def __init__(
        self,
        path: str | Path,
        opening: str = "",
        *,
        rotation: Rotation | None = None,
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        self._opening, self._rotation = opening, rotation
        self._file: BinaryIO | None = None
        self._closed = False
        self._start(overwrite)

    def write(self, text: str) -> None:
        """Writes text that ends with a newline."""
        if self._closed:
            raise SinkError(f"{self._path} is closed already")
        limit, age_s = self._rotation, time.monotonic() - self._begun_s
        if limit and (self._whole_bytes >= limit.size_bytes or age_s >= limit.age_s):
            self._close_file()
            self._start(overwrite=False)
        self._put(text)

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._close_file()

    def _start(self, overwrite: bool) -> None:
        self._whole_bytes, self._begun_s = 0, time.monotonic()
        if str(self._path) != "-":
            if self._rotation is not None:
                _put_aside(self._path)
            check_file(self._path, overwrite=overwrite)
            try:
                self._file = self._path.open("wb", buffering=0)
            except OSError as error:
                raise sink_error(self._path, error) from error
        if self._opening:
            self._put(self._opening)

    def _put(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        if self._file is None:
            _print(data.decode())
            return
        try:
            write_all(self._file, data)
        except BrokenPipeError as error:
            raise OutputClosed(str(self._path)) from error
        except OSError as error:
            if self._file.seekable() and self._path.is_file():
                self._file.truncate(self._whole_bytes)
                self._file.seek(self._whole_bytes)
            self.close()
            raise sink_error(self._path, error) from error
        self._whole_bytes += len(data)

    def _close_file(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise sink_error(self._path, error) from error


def write_all(file: BinaryIO, data: bytes) -> None:
    """Writes all of the data into an unbuffered file."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _put_aside(path: Path) -> None:
    """Renames a file that is there: poses.jsonl -> poses-20260131T235959Z.jsonl."""
    if not path.is_file():
        return
    stem = f"{path.stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    target, number = path.with_name(f"{stem}{path.suffix}"), 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{stem}-{number}{path.suffix}")
    try:
        path.rename(target)
    except OSError as error:
        raise sink_error(path, error) from error


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # The interpreter flushes stdout once more at its end and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputClosed("stdout") from error
    except OSError as error:
        raise sink_error(Path("stdout"), error) from error


class WholeFile:
    """A file that appears under its name, whole, when it is closed.

    Until then it has a new name beside that one, so that an earlier file is never half replaced,
    and two runs do not write into one. After an error (SinkError) the earlier file stays. Devices
    and pipes are written into.
    """

    def __init__(self, path: Path) -> None:
        self._path = self._part = path
        self._file: BinaryIO | None = None
        self.closed = self.given_up = False
        if not is_device(path):
            self._part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
        try:
            self._file = self._part.open("wb" if self._part is path else "xb", buffering=0)
        except OSError as error:
            raise sink_error(path, error) from error

    def write(self, data: bytes) -> int:
        """Adds to it; nothing any more after an error."""
        if self._file is not None:
            try:
                write_all(self._file, data)
            except OSError as error:
                self._give_up()
                if isinstance(error, BrokenPipeError):
                    raise OutputClosed(str(self._path)) from error
                raise sink_error(self._path, error) from error
        return len(data)

    def flush(self) -> None:
        """Nothing waits: it is for those who ask any file for it."""

    def close(self) -> None:
        """Gives the file its name; a second call does nothing."""
        self.closed = True
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
                if self._part is not self._path:
                    self._part.replace(self._path)
            except OSError as error:
                self._give_up()
                raise sink_error(self._path, error) from error

    def _give_up(self) -> None:
        self.given_up = True
        if self._file is not None:
            self._file.close()
        self._file = None
        if self._part is not self._path:
            self._part.unlink(missing_ok=True)


def write_whole(path: Path, data: str | bytes) -> None:
    """Writes a file, whole or not at all; SinkError when that fails."""
    file = WholeFile(path)
    file.write(data.encode(errors="backslashreplace") if isinstance(data, str) else data)
    file.close()


def make_folder(folder: Path) -> None:
    """Makes a folder for results, inside one that exists."""
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise SinkError(f"cannot write into {folder}: it is a file; expected a folder") from error
    except OSError as error:
        raise sink_error(folder, error) from error


class FrameNames:
    """A name for each frame: that of its picture, or a stem with the frame's number.

    The stem comes from what a source is called: in.mp4 -> in, camera 0 -> camera_0. The second of
    two pictures of the same name (from two folders) gets its number too.
    """

    def __init__(self, source: str) -> None:
        stem = Path(source.rstrip("/")).stem or "livepose"
        self._stem = "".join(one if one.isalnum() or one in "-._" else "_" for one in stem)
        self._given: set[str] = set()

    def __call__(self, frame: Frame) -> str:
        """The name without suffix."""
        number = f"{frame.index:012d}"
        if frame.name is None:
            return f"{self._stem}_{number}"
        name = Path(frame.name).stem
        if name in self._given:
            name = f"{name}_{number}"
        self._given.add(name)
        return name
