"""Video files through PyAV: every frame that can be decoded, with its exact time, right way up.

Time: a frame's ``time_s`` is its presentation time minus the earliest start of the file's picture
and sound, so that sound carried over elsewhere keeps its distance to the picture.
"""

import logging
import math
import os
from collections.abc import Generator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from livepose.errors import SourceError, redacted
from livepose.frame import Frame
from livepose.sources import container
from livepose.sources.container import ForwardTimes, PacketReader
from livepose.sources.frames import Converter
from livepose.sources.images import MAX_PIXELS
from livepose.sources.libraries import av
from livepose.sources.protocol import (
    SAME_TIME_S,
    WHOLE,
    Excerpt,
    FileSource,
    check_rotation,
    turned,
)

logger = logging.getLogger(__name__)

_PLAIN_RATE_HZ = 25.0
"""Frames a second of a file that does not say."""
_SHORTFALL = 0.1
"""Share of the promised length that may be missing before a file counts as broken off."""
_INDEXED = ("mp4", "matroska")
"""Containers that are sought in; others are decoded from their beginning."""


class VideoSource(FileSource):
    """A video file, or the address of one; iterated once.

    Parameters
    ----------
    path : str or Path
        A file, a pipe (``-`` is standard input), or an http(s) address of a file.
    rotate : {0, 90, 180, 270}
        Degrees clockwise, on top of the orientation that the file itself asks for.
    excerpt : Excerpt
        The part that is wanted; indices count the frames that are handed out.

    Attributes
    ----------
    path : str or None
        Where the sound is; None for a pipe, which is read only once.
    excerpt : Excerpt

    Raises
    ------
    SourceError
        When there is no picture to be had; while iterating, after the last frame that could be
        decoded, when the file broke off before its promised length.
    """

    _frames: Generator[Frame, None, None]

    def __init__(self, path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE) -> None:
        text = "/dev/stdin" if path == "-" else os.fspath(path)
        self.name, self.excerpt = redacted(text), excerpt
        self._rotate = check_rotation(rotate)
        self._container, self.path = container.open_container(text, self.name)
        self._stream = container.best_video_stream(self._container, self.name)
        self._stream.thread_type = "AUTO"
        self._convert = Converter(self._stream)
        rate = container.rate_hz(self._stream, self._container)
        self._interval_s = 1.0 / (rate or _PLAIN_RATE_HZ)
        self.fps = None if rate is None else rate / excerpt.step
        count = container.frame_estimate(self._stream, self._container)
        self.frame_count = None if count is None else excerpt.count(count, self._interval_s)
        streams = self._container.streams
        self._start = container.start_of(*streams.video, *streams.audio)
        self._newest = self._sought() or self._begun()

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        super().close()
        try:
            self._frames.close()
        except ValueError:  # a thread reads right now; it sees that it is closed, and lets go
            return
        self._container.close()

    def _sought(self) -> Frame | None:
        """The first frame by way of the key frame before it; None where that is not to be had."""
        start_s = self.excerpt.start_s
        if start_s == 0 or not any(form in self._container.format.name for form in _INDEXED):
            return None
        self._seek(Fraction(start_s) + (self._start or 0))
        frame = self._begin()
        passed = self._last_s is not None
        if frame is not None and (passed or frame.time_s <= start_s + SAME_TIME_S):
            return frame
        self._seek(container.start_of(self._stream) or Fraction(0))
        return None

    def _seek(self, time: Fraction) -> None:
        # Where seeking fails reading does too, and tells of it.
        with suppress(av.FFmpegError, OSError, OverflowError):
            self._container.seek(math.floor(time / self._stream.time_base), stream=self._stream)

    def _begun(self) -> Frame:
        """The first frame by decoding from the beginning."""
        frame = self._begin()
        if frame is not None:
            return frame
        self.close()
        if self._last_s is not None:
            start_s, last_s = self.excerpt.start_s, self._last_s
            raise SourceError(
                f"{self.name} has no frame from {start_s:g} s on; its last is at {last_s:g} s"
            )
        hint = "" if self.path else container.PIPE_HINT
        raise SourceError(
            f"{self.name} holds no picture that can be decoded; is it damaged, cut short, "
            f"or larger than {MAX_PIXELS // 1_000_000} megapixels?{hint}"
        )

    def _begin(self) -> Frame | None:
        self._last_s: float | None = None
        self._count = 0
        self._frames = self._read(PacketReader(self._container, self._stream))
        return next(self._frames, None)

    def _read(self, reader: PacketReader) -> Generator[Frame, None, None]:
        for index, time_s, decoded in self.excerpt.select(self._timed(reader)):
            image_bgr, scale_xy = self._convert(decoded)
            if self._rotate % 180:
                scale_xy = scale_xy[::-1]
            self._count = index + 1
            yield Frame(turned(image_bgr, self._rotate), time_s, index, scale_xy=scale_xy)

    def _timed(self, reader: PacketReader) -> Generator[tuple[Any, float], None, None]:
        """Every frame with its time, and a look at the end of the file, where that is reached."""
        times = ForwardTimes(self._start, self._interval_s)
        for decoded in reader.frames():
            ticks = decoded.pts
            time_s = times(None if ticks is None else ticks * Fraction(self._stream.time_base))
            yield decoded, time_s
            self._last_s = time_s
        if self._count and self._last_s is not None:
            self._check_end(reader, self._last_s + self._interval_s)

    def _check_end(self, reader: PacketReader, end_s: float) -> None:
        """Raises when the file ended early; says so when parts of it were damaged."""
        length_s = container.promised_s(self._stream, self._container)
        short = length_s is not None and end_s < (1 - _SHORTFALL) * length_s
        if reader.error or short or (length_s is not None and reader.cut_packet):
            of = f" of {length_s:.1f} s" if length_s else ""
            raise SourceError(
                f"{self.name} broke off after {self._count} frames ({end_s:.1f} s{of}); "
                "the file is incomplete, copy or record it again"
            )
        if damaged := reader.damaged + reader.cut_packet:
            logger.warning(f"{self.name}: {damaged} damaged parts were left out")
