"""Video files through PyAV: every frame that can be decoded, with its exact time, right way up.

Time: a frame's ``time_s`` is its presentation time minus the earliest start of the file's picture
and sound, so that sound carried over elsewhere keeps its distance to the picture.
"""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from livepose.errors import SourceError, redacted
from livepose.frame import Frame
from livepose.sources._av import av
from livepose.sources._decode import PacketReader
from livepose.sources._frames import Converter, pixel_scale
from livepose.sources._header import (
    PIPE_HINT,
    best_video_stream,
    frame_estimate,
    open_container,
    promised_s,
    rate_hz,
    start_of,
)
from livepose.sources._times import PLAIN_RATE_HZ, ForwardTimes, earliest
from livepose.sources.decoding import MAX_PIXELS
from livepose.sources.excerpt import SAME_TIME_S, WHOLE, Excerpt
from livepose.sources.protocol import Closing, Kind, check_rotation, turned

logger = logging.getLogger(__name__)

_SHORTFALL = 0.1
"""Share of the promised length that may be missing before a file counts as broken off."""
_INDEXED = ("mp4", "matroska")
"""Containers that are sought in; others are decoded from their beginning."""


class VideoSource(Closing):
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

    kind: Kind = "video"
    live = False

    def __init__(self, path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE) -> None:
        text = "/dev/stdin" if path == "-" else os.fspath(path)
        self.name = redacted(text)
        self._rotate, self.excerpt = check_rotation(rotate), excerpt
        self._container, self.path = open_container(text, self.name)
        self._stream, others = best_video_stream(self._container, self.name)
        if others:
            logger.info(others)
        self._stream.thread_type = "AUTO"
        self._convert = Converter(pixel_scale(self._stream), self._stream.codec_context.name)
        rate = rate_hz(self._stream, self._container)
        self._rate_hz, self._interval_s = rate, 1.0 / (rate or PLAIN_RATE_HZ)
        streams = self._container.streams
        starts = [start_of(stream) for stream in (*streams.video, *streams.audio)]
        self._start = earliest(starts)
        self._first = self._sought() or self._begun()
        self._newest = self._first

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the newest frame, after rotation, in square pixels."""
        return self._newest.size_wh

    @property
    def scale_xy(self) -> tuple[float, float]:
        """That size divided by the one in the file's own pixels."""
        return self._newest.scale_xy

    @property
    def fps(self) -> float | None:
        """Average frames a second as the header has it; None where it does not say."""
        return None if self._rate_hz is None else self._rate_hz / self.excerpt.step

    @property
    def frame_count(self) -> int | None:
        """About how many frames there are; None where the header is silent or implausible."""
        count = frame_estimate(self._stream, self._container)
        return None if count is None else self.excerpt.count(count, self._interval_s)

    def __iter__(self) -> Iterator[Frame]:
        frame: Frame | None = self._first
        while frame is not None:
            self._newest = last = frame
            yield frame
            frame = self._next(last.index + 1)
        self._check_end(last)

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._frames.close()
        self._container.close()

    def _sought(self) -> Frame | None:
        """The first frame by way of the key frame before it; None where that is not to be had."""
        start_s = self.excerpt.start_s
        if start_s == 0 or not any(form in self._container.format.name for form in _INDEXED):
            return None
        self._seek(Fraction(start_s) + (self._start or 0))
        frame = self._begin()
        if frame is not None and (self._passed or frame.time_s <= start_s + SAME_TIME_S):
            return frame
        self._seek(start_of(self._stream) or Fraction(0))
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
        if self._passed:
            start_s, last_s = self.excerpt.start_s, self._last_s
            raise SourceError(
                f"{self.name} has no frame from {start_s:g} s on; its last is at {last_s:g} s"
            )
        hint = "" if self.path else PIPE_HINT
        raise SourceError(
            f"{self.name} holds no picture that can be decoded; is it damaged, cut short, "
            f"or larger than {MAX_PIXELS // 1_000_000} megapixels?{hint}"
        )

    def _begin(self) -> Frame | None:
        self._reader = PacketReader(self._container, self._stream)
        self._frames = self._reader.frames()
        self._times = ForwardTimes(self._start, self._interval_s)
        self._passed, self._reached, self._last_s, self._ended = 0, 0, 0.0, False
        return self._next(0)

    def _next(self, index: int) -> Frame | None:
        excerpt = self.excerpt
        for decoded in self._frames:
            time_s = self._time_s(decoded)
            if excerpt.end_s is not None and time_s >= excerpt.end_s - SAME_TIME_S:
                self._ended = True
                return None
            self._last_s = time_s
            if time_s < excerpt.start_s - SAME_TIME_S:
                self._passed += 1
                continue
            self._reached += 1
            if (self._reached - 1) % excerpt.step == 0:
                return self._frame(decoded, time_s, index)
        return None

    def _time_s(self, decoded: Any) -> float:
        ticks = decoded.pts
        return self._times(None if ticks is None else ticks * Fraction(self._stream.time_base))

    def _frame(self, decoded: Any, time_s: float, index: int) -> Frame:
        image_bgr, scale_xy = self._convert(decoded)
        if self._rotate % 180:
            scale_xy = scale_xy[::-1]
        return Frame(turned(image_bgr, self._rotate), time_s, index, scale_xy=scale_xy)

    def _check_end(self, last: Frame) -> None:
        """Raises when the file ended early; says so when parts of it were damaged."""
        if self._reader.closed or self._ended:
            return
        end_s = self._last_s + self._interval_s
        length_s = promised_s(self._stream, self._container)
        short = length_s is not None and end_s < (1 - _SHORTFALL) * length_s
        if self._reader.error or short or (length_s is not None and self._reader.cut_packet):
            of = f" of {length_s:.1f} s" if length_s else ""
            raise SourceError(
                f"{self.name} broke off after {last.index + 1} frames ({end_s:.1f} s{of}); "
                "the file is incomplete, copy or record it again"
            )
        damaged = self._reader.damaged + self._reader.cut_packet
        if damaged:
            logger.warning(f"{self.name}: {damaged} damaged parts were left out")
