"""Files that appear whole; those of a cache end in the hash of what they hold.

A cache's file is believed only with that hash.
"""

import errno
import io
import os
import secrets
import stat
import tempfile
import time
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

_HASH_BYTES = 32
_READER_PATIENCE_S = 20.0


class OutputFile(io.FileIO):
    """A file that takes all of the data that is written, and nothing after a failure or its end.

    So a muxer that could not write its last part cannot go back and note that all is well.
    """

    failure: BaseException | None = None

    def __init__(self, file: int | Path, mode: str, closefd: bool = True) -> None:
        is_pipe = isinstance(file, Path) and file.is_fifo()
        super().__init__(file, mode, closefd, _opened_pipe if is_pipe else None)

    def write(self, data: Any) -> int:
        """Writes all of it; raises the failure once."""
        try:
            rest = memoryview(data)
            while rest and self.failure is None and not self.closed:
                rest = rest[super().write(rest) :]
        except BaseException as error:
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
        self.file = OutputFile(self._part, "w" if self._part is path else "x")

    def close(self) -> None:
        """Gives the file its name; a second call does nothing."""
        self.file.close()
        if self._part is not self._path:
            try:
                if self.file.failure is None:
                    self._part.replace(self._path)
            finally:
                self._part.unlink(missing_ok=True)
        self._part = self._path


def is_device(path: Path) -> bool:
    """Whether there is something that is neither file nor folder, such as a pipe."""
    try:
        mode = path.stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    except OSError:  # a link to nothing
        return False


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Writes a file that appears whole or not at all; OSError when it cannot be written."""
    whole = WholeFile(path)
    try:
        for part in parts:
            whole.file.write(part)
    finally:
        whole.close()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read_cached(path: Path) -> memoryview:
    """What a file holds before the hash at its end.

    OSError when it cannot be read, is not what was written, or was written by somebody else than
    root, this user, or whoever installed livepose.
    """
    with path.open("rb") as file:
        if hasattr(os, "geteuid"):
            trusted = 0, os.geteuid(), Path(__file__).stat().st_uid
            if os.fstat(file.fileno()).st_uid not in trusted:
                raise OSError(f"{path} belongs to another user")
        content = memoryview(file.read())
    payload, digest = content[:-_HASH_BYTES], content[-_HASH_BYTES:]
    if sha256(payload).digest() != digest:
        raise OSError(f"{path} is not what was written")
    return payload


def write_cached(path: Path, payload: bytes | memoryview) -> None:
    """Writes a file and its hash as ``write_whole`` does."""
    write_whole(path, payload, sha256(payload).digest())


def temporary_folder() -> Path:
    """A folder among the temporary files that is this user's alone, and there at the next start.

    OSError when it cannot be made, or somebody else has put something there.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else ""
    folder = Path(tempfile.gettempdir()) / f"livepose-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or (user != "" and folder.stat().st_uid != user):
        raise OSError(f"{folder} belongs to another user")
    return folder
