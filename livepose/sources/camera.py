"""Cameras at this machine, through OpenCV, and in the network, through PyAV."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SourceError, redacted
from livepose.frame import ImageBgr
from livepose.sources.files import address_advice
from livepose.sources.frames import Converter, av, quiet_opencv
from livepose.sources.live import CaptureLost, LiveSettings, LiveSource
from livepose.sources.video import LIMITS, reason_of

SYSTEM_LIST = Path("/sys/class/video4linux")
_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_ADVICE = "is it plugged in, and not used by another program? `livepose cameras` lists them"
_SIZE = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
_COMMON_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (3840, 2160))
_MAX_INDICES = 8
_QUICK = {"flags": "low_delay", "analyzeduration": "1000000", **LIMITS}
"""Frames are handed out as they come, and one second at most is looked at to know what they are.

What was looked at is kept ("nobuffer" would throw it away): the only key frame of the next ten
seconds may be among it.
"""


class CameraCapture:
    """An open ``cv2.VideoCapture``; compressed frames (MJPG) are asked for first.

    Uncompressed frames of 1280x720 do not fit through USB 2 at 30 a second, which is why the
    order matters: format, then size, then rate.
    """

    scale_xy = (1.0, 1.0)

    def __init__(
        self, device: int | str, *, size_wh: tuple[int, int] | None = None, fps: float | None = None
    ) -> None:
        self._capture = _opened(device, _BACKENDS.get(sys.platform, cv2.CAP_ANY))
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{_name(device)} does not open; {_ADVICE}")
        self._capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        if size_wh is not None:
            _set_size(self._capture, size_wh)
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.mode = f"asked for {_words(size_wh, fps, 'MJPG')}, delivers {_mode(self._capture)}"

    def read(self) -> tuple[ImageBgr, float]:
        """Waits for a frame; the time is taken before it is decompressed."""
        grabbed = self._capture.grab()
        captured_s = time.perf_counter()
        good, image = self._capture.retrieve() if grabbed else (False, None)
        if not good or image is None:
            raise CaptureLost("the device stopped")
        image_bgr = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return np.asarray(image_bgr), captured_s

    def close(self) -> None:
        """Gives the device back."""
        self._capture.release()


class StreamCapture:
    """An open network stream; a frame's time is the moment in which its last byte arrived."""

    def __init__(self, url: str, settings: LiveSettings) -> None:
        scheme, slashes, rest = url.partition("://")
        url = scheme.lower() + slashes + rest  # FFmpeg knows them in small letters
        # Over TCP nothing is lost and a cut connection shows.
        options = _QUICK | ({"rtsp_transport": "tcp"} if url.startswith("rtsp") else {})
        timeouts_s = (settings.open_timeout_s, settings.stall_after_s)
        try:
            self._container = av.open(url, options=options, timeout=timeouts_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{redacted(url)} does not open: {reason_of(error)}; {address_advice(url)}"
            ) from None
        streams = self._container.streams
        if not streams.video:
            self.close()
            raise SourceError(f"{redacted(url)} sends no image; expected a video stream")
        self._stream = streams.best("video") or streams.video[0]
        self._stream.thread_type = "SLICE"  # frame threads would hold frames back
        self._convert = Converter(self._stream)
        self.scale_xy = self._convert.scale_xy
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
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                continue  # a frame that was damaged on the way is one dropped frame
            for frame in frames:
                image_bgr, self.scale_xy = self._convert(frame)
                yield image_bgr, arrived_s


def open_stream(url: str, *, rotate: int = 0, settings: LiveSettings | None = None) -> LiveSource:
    """A live stream by its address (rtsp://, http:// with MJPEG, rtmp://, udp://, ...)."""
    patience = settings or LiveSettings()
    return LiveSource(
        lambda: StreamCapture(url, patience),
        name=redacted(url),
        kind="url",
        rotate=rotate,
        settings=patience,
        hint=address_advice(url),
    )


def open_camera(
    device: int | str | Path,
    *,
    camera_size: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    rotate: int = 0,
    settings: LiveSettings | None = None,
) -> LiveSource:
    """A camera by index (0 or "0"), device path ("/dev/video0"), or a part of its name."""

    def opener() -> CameraCapture:
        # Each time: who is plugged in again may get another number.
        return CameraCapture(_resolve(device), size_wh=camera_size, fps=camera_fps)

    try:
        name = _name(_resolve(device))
    except SourceError:
        name = str(device)
    return LiveSource(opener, name=name, kind="camera", rotate=rotate, settings=settings)


def _resolve(device: int | str | Path) -> int | str:
    """An index or a device path for whatever names the camera."""
    text = str(device).strip()
    if text.isdecimal():
        return int(text)
    found = text if text.startswith("/dev/") else find_by_name(text)
    if found is None:
        raise SourceError(f"no camera is called {text}; `livepose cameras` lists them")
    return found


def _name(device: int | str) -> str:
    return f"camera {device}" if isinstance(device, int) else device


@dataclass(frozen=True)
class Camera:
    """A camera: OpenCV's index, device path (the index again where there are no paths), name."""

    index: int
    path: str
    name: str


def list_cameras(system_list: Path = SYSTEM_LIST) -> list[Camera]:
    """Cameras of this machine by index; on Linux from the kernel's list, else by trying."""
    if sys.platform != "linux":
        there = [index for index in range(_MAX_INDICES) if _opened(index).isOpened()]
        return [Camera(index, str(index), f"camera {index}") for index in there]
    found = []
    for entry in system_list.glob("video*"):
        # A camera has several nodes; those beyond the first carry metadata and no image.
        if _first_line(entry / "index") in ("", "0"):
            index = int(entry.name.removeprefix("video"))
            name = _first_line(entry / "name") or entry.name
            found.append(Camera(index, f"/dev/{entry.name}", name))
    return sorted(found, key=lambda camera: camera.index)


def find_by_name(name: str, system_list: Path = SYSTEM_LIST) -> str | None:
    """Device path of the first camera with this text in its name, capitals ignored."""
    named = (one for one in list_cameras(system_list) if name.lower() in one.name.lower())
    return next((camera.path for camera in named), None)


def modes(camera: Camera) -> list[str]:
    """Which of the common sizes it has, as "1280x720 at 30 fps as MJPG"; found by trying."""
    capture = _opened(camera.index)
    capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
    sizes = _COMMON_SIZES if capture.isOpened() else ()
    found = [_mode(capture) for size_wh in sizes if _set_size(capture, size_wh) == size_wh]
    capture.release()
    return found


def measured_fps(camera: Camera, seconds: float = 2.0) -> float | None:
    """Frames a second that really arrive; None when the camera does not open or sends nothing."""
    try:
        with open_camera(camera.index) as source:
            time.sleep(seconds)
            return source.fps
    except SourceError:
        return None


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _opened(device: int | str, backend: int = cv2.CAP_ANY) -> Any:
    with quiet_opencv():
        return cv2.VideoCapture(device, backend)


def _set_size(capture: Any, size_wh: tuple[int, int]) -> tuple[int, int]:
    """Asks for a size, and says which it has then."""
    for what, value in zip(_SIZE, size_wh, strict=True):
        capture.set(what, value)
    return _size_wh(capture)


def _size_wh(capture: Any) -> tuple[int, int]:
    return int(capture.get(_SIZE[0])), int(capture.get(_SIZE[1]))


def _mode(capture: Any) -> str:
    fourcc, fps = int(capture.get(cv2.CAP_PROP_FOURCC)), float(capture.get(cv2.CAP_PROP_FPS))
    letters = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("ascii", "replace")
    form = letters if letters.isprintable() and letters.strip() else "unknown format"
    return _words(_size_wh(capture), max(fps, 0.0), form)


def _words(size_wh: tuple[int, int] | None, fps: float | None, form: str) -> str:
    size = f"{size_wh[0]}x{size_wh[1]}" if size_wh else "any size"
    return f"{size} at {f'{fps:g} fps' if fps else 'any rate'} as {form}"
