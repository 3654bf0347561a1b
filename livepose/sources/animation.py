"""Animated GIF, WebP, PNG and AVIF: pictures that move, each frame with its time."""

from collections.abc import Iterator
from pathlib import Path

from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.sources._files import read_bytes
from livepose.sources.decoding import MAX_BYTES, decode_animation
from livepose.sources.excerpt import SAME_TIME_S, WHOLE, Excerpt
from livepose.sources.protocol import Closing, Kind, check_rotation, turned


class AnimationSource(Closing):
    """The frames of an animated picture; one after which nothing can be read is the last.

    Raises
    ------
    SourceError
        When there is no picture to be had; while iterating, where the file is damaged.
    """

    kind: Kind = "video"
    live = False
    fps = None
    path = None
    """Where its sound is."""

    def __init__(self, path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE) -> None:
        self.name, self.excerpt, self._rotate = str(path), excerpt, check_rotation(rotate)
        self._frames = self._wanted(read_bytes(path, "a picture", MAX_BYTES))
        first = next(self._frames, None)
        if first is None:
            raise SourceError(f"{path} has no frame from {excerpt.start_s:g} s on")
        self._newest = first
        self._closed = False

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the newest frame, after rotation."""
        return self._newest.size_wh

    @property
    def frame_count(self) -> int | None:
        """Not known before the end."""
        return None

    def __iter__(self) -> Iterator[Frame]:
        frame: Frame | None = self._newest
        while frame is not None and not self._closed:
            self._newest = frame
            yield frame
            frame = next(self._frames, None)

    def close(self) -> None:
        """Ends the iteration; a second call does nothing."""
        self._closed = True

    def _wanted(self, data: bytes) -> Iterator[Frame]:
        reached, excerpt = 0, self.excerpt
        for image_bgr, time_s in _timed(data, self.name):
            if excerpt.end_s is not None and time_s >= excerpt.end_s - SAME_TIME_S:
                return
            if time_s < excerpt.start_s - SAME_TIME_S:
                continue
            if reached % excerpt.step == 0:
                index = reached // excerpt.step
                yield Frame(turned(image_bgr, self._rotate), time_s, index)
            reached += 1


def _timed(data: bytes, name: str) -> Iterator[tuple[ImageBgr, float]]:
    time_s = 0.0
    for image_bgr, duration_s in decode_animation(data, name):
        yield image_bgr, time_s
        time_s += duration_s
