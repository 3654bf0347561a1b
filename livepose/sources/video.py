"""Video files through PyAV: every frame that can be decoded, with its exact time, right way up.

Time: a frame's ``time_s`` is its presentation time minus the earliest start of the file's image
and sound, so that sound carried over elsewhere keeps its distance to the image.
"""

import logging
import math
import os
from bisect import insort
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from livepose.errors import SourceError, redacted
from livepose.frame import Frame
from livepose.sources.files import Pipe, address_advice, check_readable
from livepose.sources.frames import LIMITS, MAX_PIXELS, Converter, av, reason_of
from livepose.sources.source import SAME_TIME_S, WHOLE, Excerpt, FileSource

logger = logging.getLogger(__name__)

_TIMEOUTS_S = 10.0, 20.0
"""For opening an address, and for reading from it."""
_PIPE_HINT = "; out of a pipe MP4 can only be read with its index in front"
_PLAIN_RATE_HZ = 25.0
"""Frames a second of a file that does not say."""
_HIGHEST_RATE_HZ = 1000
_SHORTFALL = 0.1
"""Share of the promised length that may be missing before a file counts as broken off."""
_LEAST_BYTES_PER_FRAME = 64
"""A header that promises smaller frames than this on average is wrong."""

# What can be known of a container, by FFmpeg's names.
_RAW = frozenset(("h264", "hevc", "mjpeg", "m4v", "mpegvideo", "obu", "vvc"))
"""Streams without one: FFmpeg makes up their times, from a rate that it makes up too."""
_WITHOUT_TIMES = _RAW | {"avi", "dv"}
"""Their frames have a place, but no time of their own."""
_DECODING_ORDER = frozenset(("avi", "asf", "mxf"))
"""Their times may be those at which frames are decoded, not shown."""
_INDEXED = ("mp4", "matroska")
"""They are sought in; others are decoded from their beginning."""


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

    Raises
    ------
    SourceError
        When there is no image to be had; while iterating, after the last frame that could be
        decoded, when the file broke off before its promised length.
    """

    def __init__(self, path: str | Path, *, rotate: int = 0, excerpt: Excerpt = WHOLE) -> None:
        text = "/dev/stdin" if path == "-" else os.fspath(path)
        self.name, self._excerpt = redacted(text), excerpt
        self._container, self.path = _open_container(text, self.name)
        self._stream = _best_stream(self._container, self.name)
        rate = _rate_hz(self._stream, self._container)
        self._interval_s = 1.0 / (rate or _PLAIN_RATE_HZ)
        self.fps = None if rate is None else rate / excerpt.step
        count = _frame_estimate(self._stream, self._container)
        self.frame_count = None if count is None else excerpt.count(count, self._interval_s)
        streams = self._container.streams
        self._start_s = start_of(*streams.video, *streams.audio)
        super().__init__(self._read(), rotate)

    def _read(self) -> Generator[Frame, None, None]:
        convert, count = Converter(self._stream), 0
        try:
            for index, time_s, decoded in self._excerpt.select(self._timed()):
                image_bgr, scale_xy = convert(decoded)
                yield Frame(image_bgr, time_s, index, scale_xy=scale_xy)
                count += 1
            if count == 0:
                raise SourceError(f"{self.name} {self._why_none()}")
            if self._reader.ended:
                self._check_end(count)
        finally:
            self._container.close()

    def _timed(self) -> Iterator[tuple[Any, float]]:
        """Every frame with its time, from the key frame before the excerpt or the beginning on."""
        frames, start_s = self._begin(), self._excerpt.start_s
        if start_s and any(form in self._container.format.name for form in _INDEXED):
            self._seek(Fraction(start_s) + (self._start_s or 0))
            first = next(frames, None)
            if first is not None and first[1] < start_s + SAME_TIME_S:
                yield first
            else:  # it is late, or there is none
                self._seek(start_of(self._stream) or Fraction(0))
                frames = self._begin()
        yield from frames

    def _begin(self) -> Iterator[tuple[Any, float]]:
        self._reader = _Reader(self._container, self._stream, self._start_s, self._interval_s)
        return self._reader.frames()

    def _seek(self, time: Fraction) -> None:
        # Where seeking fails reading does too, and tells of it.
        with suppress(av.FFmpegError, OSError, OverflowError):
            self._container.seek(math.floor(time / self._stream.time_base), stream=self._stream)

    def _why_none(self) -> str:
        if self._reader.last_s is not None:
            start_s, last_s = self._excerpt.start_s, float(self._reader.last_s)
            return f"has no frame from {start_s:g} s on; its last is at {last_s:g} s"
        most, hint = f"{MAX_PIXELS // 1_000_000} megapixels", "" if self.path else _PIPE_HINT
        why = f"is it damaged, cut short, or larger than {most}?{hint}"
        return f"holds no image that can be decoded; {why}"

    def _check_end(self, count: int) -> None:
        """Raises when the file ended early; says so when parts of it were damaged."""
        reader, length_s = self._reader, _promised_s(self._stream, self._container)
        end_s = float(reader.last_s or 0) + self._interval_s
        short = length_s is not None and end_s < (1 - _SHORTFALL) * length_s
        if reader.error or short or (length_s is not None and reader.cut_packet):
            of = f" of {length_s:.1f} s" if length_s else ""
            raise SourceError(
                f"{self.name} broke off after {count} frames ({end_s:.1f} s{of}); "
                "the file is incomplete, copy or record it again"
            )
        if damaged := reader.damaged + reader.cut_packet:
            logger.warning(f"{self.name}: {damaged} damaged parts were left out")


class _Reader:
    """Decodes what can be decoded of one stream, and remembers what could not.

    Times are seconds from ``start`` (the first frame where that is not known) and always increase.
    A stream may lack times (raw MJPEG) or start over (recordings that were joined): then the next
    frame follows the one before by ``interval_s``, and later times keep their distances.
    """

    def __init__(
        self, container: Any, stream: Any, start: Fraction | None, interval_s: float
    ) -> None:
        self._container, self._stream = container, stream
        self._shift = None if start is None else -start
        self._interval = Fraction(interval_s).limit_denominator(1_000_000)
        self.last_s: Fraction | None = None  # of the newest frame
        self.ended = False
        self.damaged = 0  # packets that the decoder refused
        self.cut_packet = False  # whether the last packet was incomplete
        self.error: Exception | None = None  # what ended reading before the end of the file
        # Sorted, the times at which frames are decoded are those at which they are shown.
        self._name = container.format.name
        self._reorders = self._name in _DECODING_ORDER and stream.codec_context.has_b_frames
        self._due: list[int] = []

    def frames(self) -> Iterator[tuple[Any, float]]:
        """The images (``av.VideoFrame``) in order of presentation, with their times."""
        time_base = Fraction(self._stream.time_base)
        for packet in self._packets():
            for frame in self._decode(packet):
                self.last_s = self._time(None if frame.pts is None else frame.pts * time_base)
                yield frame, float(self.last_s)
        self.ended = True

    def _packets(self) -> Iterator[Any]:
        """Packets to decode; None, which empties the decoder, comes last.

        An incomplete last packet is left out: it decodes to nothing, and a decoder with frame
        threads drops the good frames that are still inside when it meets one.
        """
        held: Any = None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                if held is not None:
                    yield held
                held = packet if packet.is_corrupt else None
                if held is None:
                    yield packet
        except (av.FFmpegError, OSError) as error:
            self.error = error
        self.cut_packet = held is not None
        yield None

    def _decode(self, packet: Any) -> list[Any]:
        try:
            frames = list(self._stream.codec_context.decode(packet))
        except av.FFmpegError:
            self.damaged += 1
            return []
        time = None if packet is None else packet.dts if self._name == "avi" else packet.pts
        if self._reorders and time is not None:
            insort(self._due, time)
        for frame in frames if self._reorders or self._name in _RAW else ():
            frame.pts = self._due.pop(0) if self._due else None
        return frames

    def _time(self, presented: Fraction | None) -> Fraction:
        last = self.last_s
        follow = Fraction(0) if last is None else last + self._interval
        if presented is None:
            return follow
        if self._shift is None:
            self._shift = (last or 0) - presented
        now = presented + self._shift
        if last is not None and now <= last:
            self._shift += follow - now
            return follow
        return now


def start_of(*streams: Any) -> Fraction | None:
    """The earliest start of the streams, in seconds of the container's clock, where it is known."""
    known = [s for s in streams if s.start_time is not None and s.time_base is not None]
    return min((Fraction(s.start_time * s.time_base) for s in known), default=None)


def _open_container(path: str, name: str) -> tuple[Any, str | None]:
    """The container of a file, an address or a pipe, and where it can be opened once more."""
    address = "://" in path
    piped = not address and check_readable(path, "a video file")
    # An absolute path has no colon where FFmpeg looks for a protocol.
    place = path if address else os.path.abspath(path)  # noqa: PTH100 - "a/../b" stays b
    try:
        container = av.open(
            Pipe(path) if piped else place,
            timeout=_TIMEOUTS_S,
            metadata_errors="replace",
            options=LIMITS,
        )
    except (av.InvalidDataError, av.EOFError):
        hint = _PIPE_HINT if piped else ""
        raise SourceError(
            f"{name} is not a video that can be read; it is damaged, cut short, or no video{hint}"
        ) from None
    except (av.FFmpegError, OSError, ValueError) as error:
        advice = address_advice(path) if address else "is the path right?"
        raise SourceError(f"cannot read {name}: {reason_of(error)}; {advice}") from None
    return container, None if piped else place


def _best_stream(container: Any, name: str) -> Any:
    """FFmpeg's best moving image of a container; the log says which others there are."""
    cover = av.stream.Disposition.attached_pic  # of a sound file
    moving = [s for s in container.streams.video if s.codec_context and not s.disposition & cover]
    if not moving:
        others = sorted({s.type for s in container.streams if s.type != "video"})
        container.close()
        held = f"only {' and '.join(others)}" if others else "nothing"
        raise SourceError(f"{name} has no image, {held}; expected a video")
    best = container.streams.best("video")
    chosen = best if best in moving else moving[0]
    chosen.codec_context.options = LIMITS
    chosen.thread_type = "AUTO"
    taken, *others = (
        f"track {one.index} ({one.codec_context.name} {one.width}x{one.height})"
        for one in sorted(moving, key=lambda one: one != chosen)
    )
    if others:
        logger.info(f"{name}: {taken} is taken, {', '.join(others)} left out")
    return chosen


def _promised_s(stream: Any, container: Any) -> float | None:
    """Length of the image where the header can be trusted.

    MP4's header counts each frame. The frame count in an AVI header is often wrong, raw streams
    have none.
    """
    if "mp4" in container.format.name:
        return _length_s(stream, container) if stream.frames else None
    end_s = matroska_end_s(stream) if "matroska" in container.format.name else None
    return None if end_s is None else end_s - float(start_of(stream) or 0)


def matroska_end_s(stream: Any) -> float | None:
    """When a stream ends, as writers of Matroska note it when they finish; None where none did."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _length_s(stream: Any, container: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration) / 1e6 if container.duration else None


def _rate_hz(stream: Any, container: Any) -> float | None:
    """Average frames a second as the header has it; None where it does not say.

    Where a container has no times of its own the average is made up: FFmpeg's guess looks into
    the images' headers too.
    """
    rates = [stream.average_rate, stream.guessed_rate]
    if container.format.name in _WITHOUT_TIMES:
        rates.reverse()
    if container.format.name in _RAW:
        rates.insert(0, stream.codec_context.framerate)
    return next((float(rate) for rate in rates if rate and 0 < rate <= _HIGHEST_RATE_HZ), None)


def _frame_estimate(stream: Any, container: Any) -> int | None:
    """About how many frames there are; None where the header is silent or implausible."""
    if stream.frames and "mp4" in container.format.name:
        return int(stream.frames)  # MP4 lists every frame
    count = round((_length_s(stream, container) or 0) * (_rate_hz(stream, container) or 0))
    plausible = count * _LEAST_BYTES_PER_FRAME <= container.size or container.size <= 0
    return count if count and plausible else None
