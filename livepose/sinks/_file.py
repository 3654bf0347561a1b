"""A file that takes nothing more once a write failed, so that what is in it stays readable."""

from pathlib import Path


class GuardedFile:
    """The file that a muxer writes into.

    A muxer that could not write its last part would still go back to the beginning and note
    there that all is well; on a full disk that makes a readable file unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        """Writes all of the data; after a failure raises that again."""
        if self.failure is not None:
            raise self.failure
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.failure = error
            raise
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves as ``io.IOBase.seek`` does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position as ``io.IOBase.tell`` gives it."""
        return self._file.tell()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
