"""Video files through PyAV: every frame that can be decoded, with its exact time, right way up.

Time: a frame's ``time_s`` is its presentation time minus the earliest start of the file's picture
and sound, so that sound carried over elsewhere keeps its distance to the picture.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.sources._decode import PacketReader
from livepose.sources._header import (
    frame_estimate,
    open_container,
    picture_stream,
    promised_s,
    rate_hz,
    start_of,
)
from livepose.sources._times import PLAIN_RATE_HZ, ForwardTimes, earliest
from livepose.sources.protocol import Closing, Kind, Report, check_rotation, print_report, turned

_SHORTFALL = 0.1
"""Share of the promised length that may be missing before a file counts as broken off."""


class VideoSource(Closing):
    """A video file, or the address of one; iterated once.

    Parameters
    ----------
    path : str or Path
        A file, or an http(s) address of one.
    rotate : {0, 90, 180, 270}
        Degrees clockwise, on top of the rotation that the file itself asks for.

    Raises
    ------
    SourceError
        When there is no picture to be had; while iterating, after the last frame that could be
        decoded, when the file broke off before its promised length.
    """

    kind: Kind = "video"
    live = False

    def __init__(
        self, path: str | Path, *, rotate: int = 0, report: Report = print_report, name: str = ""
    ) -> None:
        self.path = os.fspath(path)
        self.name = name or self.path
        self._rotate, self._report = check_rotation(rotate), report
        self._container = open_container(self.path, self.name)
        self._stream = picture_stream(self._container, self.name)
        self._stream.thread_type = "AUTO"
        self._reader = PacketReader(self._container, self._stream)
        self._frames = self._reader.frames()
        interval_s = 1.0 / (self.fps or PLAIN_RATE_HZ)
        streams = self._container.streams
        starts = [start_of(stream) for stream in (*streams.video, *streams.audio)]
        self._times = ForwardTimes(earliest(starts), interval_s)
        self._first = self._peek()
        self._size_wh = self._first.size_wh

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the newest frame, after rotation."""
        return self._size_wh

    @property
    def fps(self) -> float | None:
        """Average frames a second as the header has it; None where it does not say."""
        return rate_hz(self._stream)

    @property
    def frame_count(self) -> int | None:
        """About how many frames there are; None where the header is silent or implausible."""
        return frame_estimate(self._stream, self._container)

    def __iter__(self) -> Iterator[Frame]:
        frame: Frame | None = self._first
        while frame is not None:
            self._size_wh = frame.size_wh
            yield frame
            last, frame = frame, self._next(frame.index + 1)
        self._check_end(last)

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        self._frames.close()
        self._container.close()

    def _peek(self) -> Frame:
        frame = self._next(0)
        if frame is None:
            self.close()
            raise SourceError(
                f"{self.name} holds no picture that can be decoded; is it damaged or cut short?"
            )
        return frame

    def _next(self, index: int) -> Frame | None:
        decoded = next(self._frames, None)
        if decoded is None:
            return None
        presented = None if decoded.pts is None else decoded.pts * Fraction(self._stream.time_base)
        image_bgr: ImageBgr = np.asarray(decoded.to_ndarray(format="bgr24"))
        # FFmpeg's rotation is counter-clockwise, ours clockwise.
        clockwise_deg = self._rotate - 90 * round(decoded.rotation / 90)
        return Frame(turned(image_bgr, clockwise_deg), self._times(presented), index)

    def _check_end(self, last: Frame) -> None:
        """Raises when the file ended early; says so when parts of it were damaged."""
        if self._reader.closed:
            return
        end_s = last.time_s + 1.0 / (self.fps or PLAIN_RATE_HZ)
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
            self._report(f"{self.name}: {damaged} damaged parts were left out")
