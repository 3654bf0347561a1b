"""Files and pipes before anything is read of them: what cannot be one is told in a sentence."""

import os
import select
import stat
from pathlib import Path

from livepose.closable import Closable
from livepose.errors import SourceError

PIPE_PATIENCE_S = 20.0


def check_readable(path: str | Path, expected: str) -> bool:
    """Whether ``path`` is a pipe; SourceError when it is neither pipe nor file with content."""
    try:
        found = os.stat(path)  # noqa: PTH116 - takes names that are not UTF-8 and says why not
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{path} does not exist; expected {expected}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {path}: {reason}; expected {expected}") from None
    if stat.S_ISDIR(found.st_mode):
        raise SourceError(f"{path} is a folder; expected {expected}")
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes); expected {expected}")
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
        raise SourceError(f"{path} is a device and no file; expected {expected}")
    return stat.S_ISFIFO(found.st_mode)


def read_bytes(path: str | Path, expected: str, max_bytes: int) -> bytes:
    """All of a file or pipe; SourceError when there is more of it than that."""
    piped = check_readable(path, expected)
    try:
        with Pipe(path) if piped else Path(path).open("rb") as file:
            parts: list[bytes] = []
            while part := file.read(min(max_bytes + 1 - sum(len(one) for one in parts), 1 << 24)):
                parts.append(part)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
    data = b"".join(parts)
    if len(data) > max_bytes:
        raise SourceError(f"{path} holds more than {max_bytes >> 20} MiB; expected {expected}")
    if not data:
        raise SourceError(f"{path} is empty (0 bytes); expected {expected}")
    return data


class Pipe(Closable):
    """The reading end of a pipe that waits for its writer, but not forever."""

    def __init__(self, path: str | Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none at the end. Raises TimeoutError when nobody writes."""
        ready, _, _ = select.select([self._fd], [], [], PIPE_PATIENCE_S)
        if not ready:
            raise TimeoutError(f"nothing was written into this pipe for {PIPE_PATIENCE_S:g} s")
        return os.read(self._fd, size)

    def close(self) -> None:
        """Closes it; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close  # FFmpeg reads until its container goes, and closes nothing
