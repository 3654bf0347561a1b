"""Images of a set: a zip that is read without extraction, or a folder.

Names come from files that others wrote: they are only looked up among those that lie there.
"""

import threading
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from livepose.errors import DataError, SourceError
from livepose.frame import ImageBgr
from livepose.paths import is_folder
from livepose.sources.images import decode_image
from livepose.threads import Closable

MAX_IMAGE_BYTES = 64 * 1024 * 1024
_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(ValueError, IndexError, OverflowError),
)


def is_hostile(name: str) -> bool:
    """True where a file name would lead out of its folder, or is no file name at all."""
    path = PurePosixPath(name)
    is_drive = len(name) > 1 and name[1] == ":"
    return not name or "\0" in name or is_drive or path.is_absolute() or ".." in path.parts


class Archive(Closable):
    """Encoded images, found by their whole name or by its last part.

    DataError when ``path`` is neither a zip nor a folder, holds nothing, or lacks some of
    ``wanted``.
    """

    def __init__(self, path: Path, wanted: Sequence[str] = ()) -> None:
        self.path, self._lock = path, threading.Lock()
        try:
            self._zip = None if is_folder(path) else zipfile.ZipFile(path)
            names = self._names()
        except _BROKEN_ZIP as error:
            raise DataError(
                f"{path}: expected a folder of images or a zip of them, got: {error}"
            ) from error
        if not names:
            raise DataError(f"{path} holds no images")
        by_base = {PurePosixPath(name).name: name for name in reversed(names)}
        self._places = by_base | {name: name for name in names}
        if missing := [name for name in wanted if name not in self]:
            raise DataError(
                f"{len(missing)} of {len(wanted)} annotated images are not in {path}"
                f" (first: {missing[0]}); do images and annotations belong to the same set?"
            )

    def _names(self) -> list[str]:
        if self._zip is None:
            files = (one for one in self.path.rglob("*") if one.is_file())
            return sorted(str(one.relative_to(self.path)) for one in files)
        members = [one.filename for one in self._zip.infolist() if not one.is_dir()]
        return [name for name in members if not is_hostile(name)]

    def close(self) -> None:
        """Lets go of the zip."""
        if self._zip is not None:
            self._zip.close()

    def __contains__(self, name: str) -> bool:
        return self._place(name) is not None

    def _place(self, name: str) -> str | None:
        if is_hostile(name):
            return None
        return self._places.get(name) or self._places.get(PurePosixPath(name).name)

    def read(self, name: str) -> bytes:
        """The encoded bytes of one image; DataError when it is missing, broken, or far too big."""
        place = self._place(name)
        if place is None:
            why = "refused: it leads out of" if is_hostile(name) else "is not in"
            raise DataError(f"{name!r} {why} {self.path}")
        try:
            file, zipped = self.path / place, self._zip
            size = zipped.getinfo(place).file_size if zipped else file.stat().st_size
            if size > MAX_IMAGE_BYTES:
                raise DataError(f"{self.path}: {name} has {size} bytes, no image")
            if zipped is None:
                return file.read_bytes()
            with self._lock:
                return zipped.read(place)
        except _BROKEN_ZIP as error:
            raise DataError(f"{self.path}: {name} cannot be unpacked: {error}") from error

    def image_bgr(self, name: str, size_wh: tuple[int, int] | None = None) -> ImageBgr:
        """One image as it is stored; DataError where it is none, or of another size."""
        image = decode(self.read(name))
        if image is None:
            raise DataError(f"{name} in {self.path} cannot be read as an image")
        got = (image.shape[1], image.shape[0])
        if size_wh is not None and size_wh != got:
            wanted, found = ("{}x{}".format(*one) for one in (size_wh, got))
            raise DataError(f"{name}: annotated at {wanted}, but the image is {found}")
        return image


def decode(encoded: bytes) -> ImageBgr | None:
    """A colour image (H, W, 3) from encoded bytes, unturned as COCO has it; None: no image."""
    try:
        return decode_image(encoded, "an image", upright=False)
    except SourceError:
        return None
