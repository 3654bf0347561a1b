"""Pictures of a set: a zip that is read without extraction, or a folder.

Names come from annotation files and archives that others wrote, so each is checked before it
is used: absolute paths, drive letters, backslashes and ``..`` are refused.
"""

import threading
import zipfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from livepose.errors import DataError

MAX_PICTURE_BYTES = 64 * 1024 * 1024


def is_hostile(name: str) -> bool:
    """True where a file name would lead out of its folder, or is no file name at all."""
    path = PurePosixPath(name)
    bad_text = not name or "\\" in name or "\0" in name or (len(name) > 1 and name[1] == ":")
    return bad_text or path.is_absolute() or ".." in path.parts


class Archive(Protocol):
    """Encoded pictures by name."""

    path: Path

    def __contains__(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes:
        """The encoded bytes of one picture."""
        ...


class FolderArchive:
    """Pictures lying in a folder (and its subfolders, by relative name)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __contains__(self, name: str) -> bool:
        return not is_hostile(name) and (self.path / name).is_file()

    def read(self, name: str) -> bytes:
        """The encoded bytes of one picture."""
        if is_hostile(name):
            raise DataError(f"{self.path}: refused the picture name {name!r}: it leaves the folder")
        return (self.path / name).read_bytes()


class ZipArchive:
    """Pictures inside a zip file, found by full name or by base name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: expected a readable zip of pictures, got: {error}") from error
        self._lock = threading.Lock()
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            if not info.is_dir() and not is_hostile(info.filename):
                self._members.setdefault(PurePosixPath(info.filename).name, info)
                self._members[info.filename] = info

    def __contains__(self, name: str) -> bool:
        return not is_hostile(name) and name in self._members

    def read(self, name: str) -> bytes:
        """The encoded bytes of one picture.

        Raises
        ------
        DataError
            When the name is hostile, the member is broken, or far larger than any picture.
        """
        if is_hostile(name):
            raise DataError(f"{self.path}: refused the picture name {name!r}: it leaves the zip")
        info = self._members[name]
        if info.file_size > MAX_PICTURE_BYTES:
            raise DataError(f"{self.path}: {name} unpacks to {info.file_size} bytes, no picture")
        try:
            with self._lock:
                return self._zip.read(info)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{self.path}: {name} cannot be unpacked: {error}") from error


def open_archive(path: Path) -> Archive:
    """The pictures at ``path``: a zip file or a folder.

    Raises
    ------
    DataError
        When there is neither.
    """
    if path.is_dir():
        return FolderArchive(path)
    if path.is_file():
        return ZipArchive(path)
    raise DataError(f"{path}: expected a zip of pictures or a folder, found nothing there")
