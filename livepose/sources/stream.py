"""Network cameras through PyAV: RTSP, MJPEG over HTTP, and what else FFmpeg can reach."""

import time
from collections.abc import Iterator
from typing import Any

from livepose.errors import SourceError, redacted
from livepose.frame import ImageBgr
from livepose.sources.container import LIMITS, reason_of
from livepose.sources.files import address_advice
from livepose.sources.frames import Converter
from livepose.sources.libraries import av
from livepose.sources.live import CaptureLost, LiveSettings, LiveSource

_QUICK = {"flags": "low_delay", "analyzeduration": "1000000", **LIMITS}
"""Frames are handed out as they come, and one second at most is looked at to know what they are.

What was looked at is kept ("nobuffer" would throw it away): the only key frame of the next ten
seconds may be among it.
"""


class StreamCapture:
    """An open network stream; a frame's time is the moment in which its last byte arrived."""

    def __init__(self, url: str, settings: LiveSettings) -> None:
        name = redacted(url)
        scheme, slashes, rest = url.partition("://")
        url = scheme.lower() + slashes + rest  # FFmpeg knows them in small letters
        # Over TCP nothing is lost and a cut connection shows.
        options = _QUICK | ({"rtsp_transport": "tcp"} if url.startswith("rtsp") else {})
        timeouts_s = (settings.open_timeout_s, settings.stall_after_s)
        try:
            self._container = av.open(url, options=options, timeout=timeouts_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{name} does not open: {reason_of(error)}; {address_advice(url)}"
            ) from None
        streams = self._container.streams
        if not streams.video:
            self.close()
            raise SourceError(f"{name} sends no picture; expected a video stream")
        self._stream = streams.best("video") or streams.video[0]
        self._convert = Converter(self._stream)
        self.scale_xy = self._convert.scale_xy
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
            raise CaptureLost(reason_of(error)) from None

    def close(self) -> None:
        """Ends the connection."""
        self._container.close()

    def _decode(self) -> Iterator[tuple[ImageBgr, float]]:
        for packet in self._container.demux(self._stream):
            arrived_s = time.perf_counter()
            for frame in _decoded(packet):
                image_bgr, self.scale_xy = self._convert(frame)
                yield image_bgr, arrived_s


def _decoded(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.InvalidDataError:
        return []  # a frame that was damaged on the way is one dropped frame


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
