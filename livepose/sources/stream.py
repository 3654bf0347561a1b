"""Network cameras through PyAV: RTSP, MJPEG over HTTP, and what else FFmpeg can reach."""

import time
from collections.abc import Iterator
from typing import Any

from livepose.errors import SourceError, redacted
from livepose.frame import ImageBgr
from livepose.sources._av import av
from livepose.sources._connection import CaptureLost
from livepose.sources._frames import Converter, pixel_scale
from livepose.sources._header import LIMITS
from livepose.sources.address import address_advice
from livepose.sources.live import LiveSettings, LiveSource

_QUICK = {"flags": "low_delay", "analyzeduration": "1000000", **LIMITS}
"""Frames are handed out as they come, and one second at most is looked at to know what they are.

What was looked at is kept ("nobuffer" would throw it away): the only key frame of the next ten
seconds may be among it.
"""


class StreamCapture:
    """An open network stream; a frame's time is the moment in which its last byte arrived."""

    def __init__(self, url: str, settings: LiveSettings) -> None:
        self._name = redacted(url)
        self._container = _open(url, self._name, settings)
        if not self._container.streams.video:
            self.close()
            raise SourceError(f"{self._name} sends no picture; expected a video stream")
        self._stream = self._container.streams.best("video") or self._container.streams.video[0]
        self._convert = Converter(pixel_scale(self._stream), self._stream.codec_context.name)
        self.scale_xy = pixel_scale(self._stream)
        # Frame threads would hold frames back.
        self._stream.thread_type = "SLICE"
        self._images = self._decode()
        context = self._stream.codec_context
        self.mode = f"delivers {context.width}x{context.height} as {context.name}"

    def read(self) -> tuple[ImageBgr, float]:
        """Waits for a frame; CaptureLost when the connection ends or stays silent."""
        try:
            return next(self._images)
        except StopIteration:
            raise CaptureLost("the connection was closed") from None
        except (av.FFmpegError, OSError) as error:
            raise CaptureLost(_reason(error)) from None

    def close(self) -> None:
        """Ends the connection."""
        self._container.close()

    def _decode(self) -> Iterator[tuple[ImageBgr, float]]:
        for packet in self._container.demux(self._stream):
            arrived_s = time.perf_counter()
            for frame in _decoded(packet):
                image_bgr, self.scale_xy = self._convert(frame)
                yield image_bgr, arrived_s


def open_stream(url: str, *, rotate: int = 0, settings: LiveSettings | None = None) -> LiveSource:
    """A live stream by its address (rtsp://, http:// with MJPEG, rtmp://, udp://, ...).

    Raises
    ------
    SourceError
        When nothing answers or no frame comes within a few seconds.
    """
    patience = settings or LiveSettings()
    return LiveSource(
        lambda: StreamCapture(url, patience),
        name=redacted(url),
        kind="url",
        rotate=rotate,
        settings=patience,
        hint=address_advice(url),
    )


def _open(url: str, name: str, settings: LiveSettings) -> Any:
    options = dict(_QUICK)
    if url.startswith("rtsp"):
        # Over TCP nothing is lost and a cut connection shows.
        options["rtsp_transport"] = "tcp"
    timeouts_s = (settings.open_timeout_s, settings.stall_after_s)
    try:
        return av.open(url, options=options, timeout=timeouts_s)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{name} does not open: {_reason(error)}; {address_advice(url)}"
        ) from None


def _decoded(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.InvalidDataError:
        # A frame that was damaged on the way is one dropped frame.
        return []


def _reason(error: Exception) -> str:
    if isinstance(error, av.ExitError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)
