"""What a file says of itself: opening it, its picture stream, its start, its length."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from livepose.errors import SourceError
from livepose.sources._av import av

_LEAST_BYTES_PER_FRAME = 64
"""A header that promises smaller frames than this on average is wrong."""

_OPEN_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 20.0


def open_container(path: str, name: str) -> Any:
    """The opened container; SourceError says why there is none."""
    if "://" not in path:
        _check_file(Path(path))
    try:
        return av.open(path, timeout=(_OPEN_TIMEOUT_S, _READ_TIMEOUT_S), metadata_errors="replace")
    except (av.InvalidDataError, av.EOFError) as error:
        raise SourceError(
            f"{name} is not a video that can be read; it is damaged, cut short, or no video"
        ) from error
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {name}: {reason}; is the path right?") from error


def _check_file(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"{path} does not exist; expected a video file")
    if path.is_dir():
        raise SourceError(f"{path} is a folder; expected a video file")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes); expected a video file")


def picture_stream(container: Any, name: str) -> Any:
    """The first moving picture of a container; SourceError when there is none."""
    streams = [s for s in container.streams.video if s.codec_context is not None]
    moving = [s for s in streams if not _is_cover(s)]
    if moving:
        return moving[0]
    others = sorted({f"{stream.type}" for stream in container.streams if stream not in streams})
    container.close()
    held = f"only {' and '.join(others)}" if others else "nothing"
    raise SourceError(f"{name} has no picture, {held}; expected a video")


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


def rate_hz(stream: Any) -> float | None:
    """Average frames a second as the header has it; None where it does not say."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def frame_estimate(stream: Any, container: Any) -> int | None:
    """About how many frames there are; None where the header is silent or implausible."""
    if stream.frames and "mp4" in container.format.name:
        return int(stream.frames)  # MP4 lists every frame
    length_s, rate = _length_s(stream, container), rate_hz(stream)
    count = int(stream.frames or round((length_s or 0.0) * (rate or 0.0)))
    size_bytes = int(container.size)
    plausible = size_bytes <= 0 or size_bytes >= _LEAST_BYTES_PER_FRAME * count
    return count if count > 0 and plausible else None
