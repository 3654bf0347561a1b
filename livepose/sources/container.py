"""Containers of videos: opening them, what their headers can be trusted with, packets, times."""

import logging
import os
from bisect import insort
from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import Any

from livepose.errors import SourceError
from livepose.sources.files import Pipe, address_advice, check_readable
from livepose.sources.images import MAX_PIXELS
from livepose.sources.libraries import av

logger = logging.getLogger(__name__)

LIMITS = {"max_pixels": str(MAX_PIXELS)}
"""Of FFmpeg, for looking into a stream and for decoding it: larger frames are refused."""
PIPE_HINT = "; out of a pipe MP4 can only be read with its index in front"

_LEAST_BYTES_PER_FRAME = 64
"""A header that promises smaller frames than this on average is wrong."""
_HIGHEST_RATE_HZ = 1000
_RAW = frozenset(("h264", "hevc", "mjpeg", "m4v", "mpegvideo", "obu", "vvc"))
"""Streams without a container: FFmpeg makes up their times, from a rate that it makes up too."""
_WITHOUT_TIMES = _RAW | {"avi", "dv"}
"""Containers whose frames have a place, but no time of their own."""
_DECODING_ORDER = frozenset(("avi", "asf", "mxf"))
"""Containers whose times may be those at which frames are decoded, not shown."""
_OPEN_TIMEOUT_S, _READ_TIMEOUT_S = 10.0, 20.0


def open_container(path: str, name: str) -> tuple[Any, str | None]:
    """The container of a file, an address or a pipe, and where it can be opened once more."""
    address = "://" in path
    piped = not address and check_readable(path, "a video file")
    # An absolute path has no colon where FFmpeg looks for a protocol.
    place = path if address else os.path.abspath(path)  # noqa: PTH100 - "a/../b" stays b
    try:
        container = av.open(
            Pipe(path) if piped else place,
            timeout=(_OPEN_TIMEOUT_S, _READ_TIMEOUT_S),
            metadata_errors="replace",
            options=LIMITS,
        )
    except (av.InvalidDataError, av.EOFError):
        hint = PIPE_HINT if piped else ""
        raise SourceError(
            f"{name} is not a video that can be read; it is damaged, cut short, or no video{hint}"
        ) from None
    except (av.FFmpegError, OSError, ValueError) as error:
        advice = address_advice(path) if address else "is the path right?"
        raise SourceError(f"cannot read {name}: {reason_of(error)}; {advice}") from None
    return container, None if piped else place


def reason_of(error: Exception) -> str:
    """What FFmpeg says, in words."""
    if isinstance(error, av.ExitError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)


def best_video_stream(container: Any, name: str) -> Any:
    """FFmpeg's best moving picture of a container; the log says which others there are."""
    cover = av.stream.Disposition.attached_pic  # of a sound file
    moving = [s for s in container.streams.video if s.codec_context and not s.disposition & cover]
    if not moving:
        others = sorted({s.type for s in container.streams if s.type != "video"})
        container.close()
        held = f"only {' and '.join(others)}" if others else "nothing"
        raise SourceError(f"{name} has no picture, {held}; expected a video")
    best = container.streams.best("video")
    chosen = next((s for s in moving if best is not None and s.index == best.index), moving[0])
    context = chosen.codec_context
    if context.width * context.height > MAX_PIXELS:
        container.close()
        raise SourceError(
            f"{name} is too large ({context.width}x{context.height}); "
            f"expected at most {MAX_PIXELS // 1_000_000} megapixels"
        )
    context.options = LIMITS
    words = {
        s.index: f"track {s.index} ({s.codec_context.name} {s.width}x{s.height})" for s in moving
    }
    taken = words.pop(chosen.index)
    if words:
        logger.info(f"{name}: {taken} is taken, {', '.join(words.values())} left out")
    return chosen


def start_of(*streams: Any) -> Fraction | None:
    """The earliest start of the streams, in seconds of the container's clock, where it is known."""
    known = [s for s in streams if s.start_time is not None and s.time_base is not None]
    return min((Fraction(s.start_time * s.time_base) for s in known), default=None)


def promised_s(stream: Any, container: Any) -> float | None:
    """Length of the picture where the header can be trusted.

    MP4's header counts each frame, and Matroska writers note the length of each stream when they
    finish. The frame count in an AVI header is often wrong, raw streams have none.
    """
    if "mp4" in container.format.name:
        return _length_s(stream, container) if stream.frames else None
    clock = stream.metadata.get("DURATION", "") if "matroska" in container.format.name else ""
    try:
        hours, minutes, seconds = clock.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _length_s(stream: Any, container: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration) / 1e6 if container.duration else None


def rate_hz(stream: Any, container: Any) -> float | None:
    """Average frames a second as the header has it; None where it does not say.

    Where a container has no times of its own the average is made up: FFmpeg's guess looks into
    the pictures' headers too.
    """
    rates = [stream.average_rate, stream.guessed_rate]
    if container.format.name in _WITHOUT_TIMES:
        rates.reverse()
    if container.format.name in _RAW:
        rates.insert(0, stream.codec_context.framerate)
    return next((float(rate) for rate in rates if rate and 0 < rate <= _HIGHEST_RATE_HZ), None)


def frame_estimate(stream: Any, container: Any) -> int | None:
    """About how many frames there are; None where the header is silent or implausible."""
    if stream.frames and "mp4" in container.format.name:
        return int(stream.frames)  # MP4 lists every frame
    length_s, rate = _length_s(stream, container), rate_hz(stream, container)
    counts = [int(stream.frames), round((length_s or 0.0) * (rate or 0.0))]
    count = min((one for one in counts if one > 0), default=0)
    plausible = not 0 < int(container.size) < _LEAST_BYTES_PER_FRAME * count
    return count if count > 0 and plausible else None


class PacketReader:
    """Decodes what can be decoded of one stream, and remembers what could not."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.damaged = 0  # packets that the decoder refused
        self.cut_packet = False  # whether the last packet was incomplete
        self.error: Exception | None = None  # what ended reading before the end of the file
        # Sorted, the times at which frames are decoded are those at which they are shown.
        self._name = container.format.name
        self._reorders = self._name in _DECODING_ORDER and stream.codec_context.has_b_frames
        self._due: list[int] = []

    def frames(self) -> Generator[Any, None, None]:
        """The pictures (``av.VideoFrame``) in order of presentation."""
        for packet in self._packets():
            yield from self._decode(packet)

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


class ForwardTimes:
    """Turns presentation times into seconds from the file's start that always increase.

    A stream may lack times (raw MJPEG) or start over (recordings that were joined): then the
    next frame follows the one before by ``interval_s``, and later times keep their distances.
    Where the start is not known it is the time of the first frame.
    """

    def __init__(self, start: Fraction | None, interval_s: float) -> None:
        self._start, self._shift = start, -(start or Fraction(0))
        self._interval = Fraction(interval_s).limit_denominator(1_000_000)
        self._last: Fraction | None = None

    def __call__(self, presented: Fraction | None) -> float:
        """Seconds for a frame with this presentation time, None where it has none."""
        if self._start is None and presented is not None:
            self._start = presented
            self._shift = (self._last or Fraction(0)) - presented
        follow = Fraction(0) if self._last is None else self._last + self._interval
        now = follow if presented is None else presented + self._shift
        if self._last is not None and now <= self._last:
            self._shift += follow - now
            now = follow
        self._last = now
        return float(now)
