"""Files, pipes and addresses before anything is read of them: what is none is told in a sentence.

Addresses come as people write them: with passwords that are not escaped, or brackets unclosed.
"""

import os
import re
import select
import stat
from pathlib import Path
from urllib.parse import unquote

from livepose.errors import SourceError
from livepose.threads import Closable

PIPE_PATIENCE_S = 20.0


def local_path(url: str) -> str:
    """The path of a file:// address, percent-decoded."""
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise SourceError(f"{url} is not on this machine; expected file:///path")
    return unquote(slash + path, errors="surrogateescape")


def address_advice(url: str) -> str:
    """The question that ends a sentence about an address that does not open."""
    user, at, _ = url.partition("://")[2].rpartition("@")
    if at and re.search(r"[][/?#@\s]", user):
        return (
            "in a password # ? / [ and ] must be written as %23, %3F, %2F, %5B and %5D, "
            "an at sign as %40"
        )
    return "is the address right, and the camera on and reachable?"


def check_readable(path: str | Path, expected: str) -> bool:
    """Whether ``path`` is a pipe; SourceError when it is neither pipe nor file with content."""
    try:
        found = os.stat(path)  # noqa: PTH116 - takes names that are not UTF-8 and says why not
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{path} does not exist; expected {expected}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {path}: {reason}; expected {expected}") from None
    is_file = stat.S_ISREG(found.st_mode)
    if is_file and found.st_size:
        return False
    if stat.S_ISFIFO(found.st_mode):
        return True
    is_folder = stat.S_ISDIR(found.st_mode)
    wrong = "empty (0 bytes)" if is_file else "a folder" if is_folder else "a device and no file"
    raise SourceError(f"{path} is {wrong}; expected {expected}")


def read_bytes(path: str | Path, expected: str, max_bytes: int) -> bytes:
    """All of a file or pipe; SourceError when there is more of it than that."""
    piped, data = check_readable(path, expected), bytearray()
    try:
        with Pipe(path) if piped else Path(path).open("rb") as file:
            while part := file.read(min(max_bytes + 1 - len(data), 1 << 24)):
                data += part
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > max_bytes:
        raise SourceError(f"{path} holds more than {max_bytes >> 20} MiB; expected {expected}")
    if not data:
        raise SourceError(f"{path} is empty (0 bytes); expected {expected}")
    return bytes(data)


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
