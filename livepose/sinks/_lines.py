"""A text file of whole lines: each one is on its way when ``write`` returns."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from livepose.errors import SinkError
from livepose.sinks.protocol import OutputClosed, sink_error


class LineFile:
    """Writes lines to a file, or to stdout for "-".

    When the disk fills up in the middle of a line, that line is taken back, so that the file
    holds whole lines only.

    Raises
    ------
    SinkError
        When the file cannot be written.
    OutputClosed
        When the reader of the pipe has gone.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._whole_bytes = 0
        self._file: BinaryIO | None = None
        self._closed = False
        if str(path) != "-":
            try:
                self._file = self._path.open("wb", buffering=0)
            except OSError as error:
                raise sink_error(self._path, error) from error

    def write(self, text: str) -> None:
        """Writes text that ends with a newline."""
        if self._closed:
            raise SinkError(f"{self._path} is closed already")
        if self._file is None:
            _print(text)
            return
        data = text.encode()
        try:
            _write_all(self._file, data)
        except BrokenPipeError as error:
            raise OutputClosed(str(self._path)) from error
        except OSError as error:
            self._take_back(self._file)
            self.close()
            raise sink_error(self._path, error) from error
        self._whole_bytes += len(data)

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise sink_error(self._path, error) from error

    def _take_back(self, file: BinaryIO) -> None:
        if file.seekable() and self._path.is_file():
            file.truncate(self._whole_bytes)
            file.seek(self._whole_bytes)


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


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
