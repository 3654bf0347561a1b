"""Pictures of a set, from a folder or a ZIP file, read by several threads at once."""

import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from livepose.errors import DataError
from livepose.frame import ImageBgr

AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class PictureStore:
    """Pictures by file name, wherever in the folder or archive they lie.

    Parameters
    ----------
    path : Path
        A folder or a ZIP file.

    Raises
    ------
    DataError
        When there is neither, or it holds nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive: zipfile.ZipFile | None = None
        self._lock = threading.Lock()
        if path.is_dir():
            members = [str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()]
        else:
            self._archive = _opened(path)
            members = [name for name in self._archive.namelist() if not name.endswith("/")]
        if not members:
            raise DataError(f"{path} holds no pictures")
        by_base = {PurePosixPath(name).name: name for name in members}
        self._places = {**by_base, **{name: name for name in members}}

    @classmethod
    def holding(cls, path: Path, file_names: Iterable[str]) -> "PictureStore":
        """The store at that place; DataError where one of these pictures is not in it."""
        store = cls(path)
        store.require(file_names)
        return store

    def require(self, file_names: Iterable[str]) -> None:
        """DataError where any of these is missing, before hours are spent on the others."""
        names = list(file_names)
        missing = [name for name in names if self._place(name) is None]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(names)} annotated pictures are not in {self.path}"
                f" (first: {missing[0]}); do pictures and annotations belong to the same set?"
            )

    def read(self, file_name: str) -> ImageBgr:
        """The picture as it is stored: turning marks of cameras are ignored, as COCO does."""
        place = self._place(file_name)
        if place is None:
            raise DataError(f"{file_name} is not in {self.path}")
        image = cv2.imdecode(np.frombuffer(self._bytes(place), np.uint8), AS_STORED)
        if image is None:
            raise DataError(f"{file_name} in {self.path} cannot be read as a picture")
        return np.asarray(image, dtype=np.uint8)

    def close(self) -> None:
        """Lets go of the archive."""
        if self._archive is not None:
            self._archive.close()

    def _place(self, file_name: str) -> str | None:
        return self._places.get(file_name) or self._places.get(PurePosixPath(file_name).name)

    def _bytes(self, place: str) -> bytes:
        if self._archive is None:
            return (self.path / place).read_bytes() or b"\0"
        with self._lock:
            return self._archive.read(place) or b"\0"


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"--images {path}: expected a folder of pictures or a ZIP file of them ({error})"
        ) from error
