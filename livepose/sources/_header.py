"""What a file says of itself: opening it, its picture stream, its start, its length."""

import os
from fractions import Fraction
from typing import Any

from livepose.errors import SourceError
from livepose.sources._av import av
from livepose.sources._files import Pipe, check_readable
from livepose.sources.address import address_advice
from livepose.sources.decoding import MAX_PIXELS

_LEAST_BYTES_PER_FRAME = 64
"""A header that promises smaller frames than this on average is wrong."""

_HIGHEST_RATE_HZ = 1000
_WITHOUT_TIMES = frozenset(("avi", "dv", "h264", "hevc", "mjpeg", "m4v", "mpegvideo", "obu", "vvc"))
"""Containers whose frames have a place, but no time of their own."""

LIMITS = {"max_pixels": str(MAX_PIXELS)}
"""Of FFmpeg, for looking into a stream and for decoding it: larger frames are refused."""
PIPE_HINT = "; out of a pipe MP4 can only be read with its index in front"

_OPEN_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 20.0


def open_container(path: str, name: str) -> tuple[Any, str | None]:
    """The container of a file, an address or a pipe, and where it can be opened once more.

    Raises
    ------
    SourceError
        Says why there is none.
    """
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
        reason = getattr(error, "strerror", None) or error
        advice = address_advice(path) if address else "is the path right?"
        raise SourceError(f"cannot read {name}: {reason}; {advice}") from None
    return container, None if piped else place


def best_video_stream(container: Any, name: str) -> tuple[Any, str]:
    """FFmpeg's best moving picture of a container, and in words which others there are.

    Raises
    ------
    SourceError
        When there is none, or it is too large.
    """
    moving = [s for s in container.streams.video if s.codec_context and not _is_cover(s)]
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
    others = [_track_words(stream) for stream in moving if stream is not chosen]
    if not others:
        return chosen, ""
    return chosen, f"{name}: {_track_words(chosen)} is taken, {', '.join(others)} left out"


def _track_words(stream: Any) -> str:
    context = stream.codec_context
    return f"track {stream.index} ({context.name} {context.width}x{context.height})"


def _is_cover(stream: Any) -> bool:
    """Whether this is the cover picture of a sound file."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def start_of(stream: Any) -> Fraction | None:
    """When the stream starts, in seconds of the container's clock; None where unknown."""
    if stream.start_time is None or stream.time_base is None:
        return None
    return Fraction(stream.start_time * stream.time_base)


def _length_s(stream: Any, container: Any) -> float | None:
    """Length of the picture stream as the header has it."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration) / 1e6 if container.duration else None


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


def rate_hz(stream: Any, container: Any) -> float | None:
    """Average frames a second as the header has it; None where it does not say.

    Where a container has no times of its own the average is made up: FFmpeg's guess looks into
    the pictures' headers too.
    """
    rates = [stream.average_rate, stream.guessed_rate]
    if container.format.name in _WITHOUT_TIMES:
        rates.reverse()
    plausible = [float(rate) for rate in rates if rate and 0 < rate <= _HIGHEST_RATE_HZ]
    return plausible[0] if plausible else None


def frame_estimate(stream: Any, container: Any) -> int | None:
    """About how many frames there are; None where the header is silent or implausible."""
    if stream.frames and "mp4" in container.format.name:
        return int(stream.frames)  # MP4 lists every frame
    length_s, rate = _length_s(stream, container), rate_hz(stream, container)
    counts = [int(stream.frames), round((length_s or 0.0) * (rate or 0.0))]
    count = min((one for one in counts if one > 0), default=0)
    size_bytes = int(container.size)
    plausible = size_bytes <= 0 or size_bytes >= _LEAST_BYTES_PER_FRAME * count
    return count if count > 0 and plausible else None
