"""Still pictures: files, folders and glob patterns; turned as their EXIF orientation says."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from livepose.errors import SourceError
from livepose.frame import Frame
from livepose.sources.decoding import read_image
from livepose.sources.protocol import Closing, Kind, check_rotation, turned

logger = logging.getLogger(__name__)


class ImageSource(Closing):
    """Pictures one after another; ``Frame.name`` is the path, ``time_s`` the index in seconds.

    A picture that cannot be read is reported and left out; indices count the others.

    Raises
    ------
    SourceError
        When none of the pictures can be read.
    """

    kind: Kind = "images"
    live = False
    fps = None

    def __init__(self, paths: Sequence[Path], *, name: str | None = None, rotate: int = 0) -> None:
        self.name = name or (str(paths[0]) if len(paths) == 1 else f"{len(paths)} pictures")
        self._paths, self._rotate = list(paths), check_rotation(rotate)
        self._closed = False
        self._unread = 0
        self._images = self._read_all()
        self._first = next(self._images, None)
        if self._first is None:
            raise SourceError(f"{self.name}: none of the pictures can be read")
        self._size_wh = self._first.size_wh

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the newest picture, after rotation."""
        return self._size_wh

    @property
    def frame_count(self) -> int | None:
        """Number of files, readable or not."""
        return len(self._paths)

    def __iter__(self) -> Iterator[Frame]:
        frame = self._first
        while frame is not None and not self._closed:
            self._size_wh = frame.size_wh
            yield frame
            frame = next(self._images, None)

    def close(self) -> None:
        """Ends the iteration; a second call does nothing."""
        self._closed = True

    def _read_all(self) -> Iterator[Frame]:
        index = 0
        for path in self._paths:
            try:
                image_bgr = read_image(path)
            except SourceError as error:
                if len(self._paths) == 1:
                    raise
                self._unread += 1
                logger.warning(f"left out: {error}")
                continue
            yield Frame(turned(image_bgr, self._rotate), float(index), index, name=str(path))
            index += 1
        if self._unread:
            logger.warning(f"{self._unread} of {len(self._paths)} pictures could not be read")
