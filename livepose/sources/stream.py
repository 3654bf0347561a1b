"""Network cameras through PyAV: RTSP, MJPEG over HTTP, and what else FFmpeg can reach."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from livepose.errors import SourceError
from livepose.frame import ImageBgr
from livepose.sources._av import av
from livepose.sources._connection import CaptureLost
from livepose.sources.live import LiveSettings, LiveSource
from livepose.sources.protocol import Report, print_report

_QUICK = {"fflags": "nobuffer", "flags": "low_delay", "analyzeduration": "1000000"}
"""Hand frames out as they come, and look at one second at most to know what they are."""

_ADVICE = "is the address right, and the camera on and reachable?"


class StreamCapture:
    """An open network stream; a frame's time is the moment in which its last byte arrived."""

    def __init__(self, url: str, settings: LiveSettings) -> None:
        self._name = masked(url)
        self._container = _open(url, self._name, settings)
        if not self._container.streams.video:
            self.close()
            raise SourceError(f"{self._name} sends no picture; expected a video stream")
        self._stream = self._container.streams.video[0]
        # Frame threads would hold frames back.
        self._stream.thread_type = "SLICE"
        self._pictures = self._decode()
        context = self._stream.codec_context
        self.mode = f"delivers {context.width}x{context.height} as {context.name}"

    def read(self) -> tuple[ImageBgr, float]:
        """Waits for a frame; CaptureLost when the connection ends or stays silent."""
        try:
            return next(self._pictures)
        except StopIteration:
            raise CaptureLost("the connection was closed") from None
        except (av.FFmpegError, OSError) as error:
            raise CaptureLost(_reason(error)) from error

    def close(self) -> None:
        """Ends the connection."""
        self._container.close()

    def _decode(self) -> Iterator[tuple[ImageBgr, float]]:
        for packet in self._container.demux(self._stream):
            arrived_s = time.perf_counter()
            for frame in _decoded(packet):
                yield np.asarray(frame.to_ndarray(format="bgr24")), arrived_s


def open_stream(
    url: str,
    *,
    rotate: int = 0,
    settings: LiveSettings | None = None,
    report: Report = print_report,
) -> LiveSource:
    """A live stream by its address (rtsp://, http:// with MJPEG, rtmp://, udp://, ...).

    Raises
    ------
    SourceError
        When nothing answers or no frame comes within a few seconds.
    """
    patience = settings or LiveSettings()
    return LiveSource(
        lambda: StreamCapture(url, patience),
        name=masked(url),
        kind="url",
        rotate=rotate,
        settings=patience,
        hint=_ADVICE,
        report=report,
    )


def masked(url: str) -> str:
    """The address as messages may show it: without the password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")).geturl()


def _open(url: str, name: str, settings: LiveSettings) -> Any:
    options = dict(_QUICK)
    if url.startswith("rtsp"):
        # Over TCP nothing is lost and a cut connection shows.
        options["rtsp_transport"] = "tcp"
    timeouts_s = (settings.open_timeout_s, settings.stall_after_s)
    try:
        return av.open(url, options=options, timeout=timeouts_s)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{name} does not open: {_reason(error)}; {_ADVICE}") from error


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
