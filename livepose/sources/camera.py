"""Cameras at this machine, through OpenCV, and in the network, through PyAV."""

import logging
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SourceError, redacted
from livepose.frame import Frame
from livepose.sources.files import address_advice
from livepose.sources.frames import LIMITS, Converter, av, quiet_opencv, reason_of
from livepose.sources.live import LiveSettings, LiveSource

logger = logging.getLogger(__name__)

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


def capture_camera(
    device: str, size_wh: tuple[int, int] | None = None, fps: float | None = None
) -> Generator[Frame, None, None]:
    """Frames of a camera as they come; compressed ones (MJPG) are asked for first.

    Uncompressed frames of 1280x720 do not fit through USB 2 at 30 a second, which is why the
    order matters: format, then size, then rate.
    """
    place = _place_of(device)  # each time: who is plugged in again may have another number
    name = _name(place)
    with _opened(place, _BACKENDS.get(sys.platform, cv2.CAP_ANY)) as capture:
        if not capture.isOpened():
            raise SourceError(f"{name} does not open; {_ADVICE}")
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        if size_wh is not None:
            _set_size(capture, size_wh)
        if fps is not None:
            capture.set(cv2.CAP_PROP_FPS, fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        wanted = ["{}x{}".format(*size_wh)] if size_wh else []
        wanted += [f"{fps:g} fps"] if fps else []
        asked = " at ".join(wanted) or "any size"
        logger.info(f"{name}: asked for {asked} as MJPG, delivers {_mode(capture)}")
        while True:
            grabbed = capture.grab()
            captured_s = time.perf_counter()  # before it is decompressed
            good, image = capture.retrieve() if grabbed else (False, None)
            if not good or image is None:
                raise OSError("the device stopped")
            image_bgr = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
            yield Frame(np.asarray(image_bgr), captured_s, 0, captured_s)


def capture_stream(url: str, settings: LiveSettings) -> Generator[Frame, None, None]:
    """Frames of a network stream; the time of one is the moment in which its last byte arrived."""
    name, (scheme, slashes, rest) = redacted(url), url.partition("://")
    url = scheme.lower() + slashes + rest  # FFmpeg knows them in small letters
    # Over TCP nothing is lost and a cut connection shows.
    options = _QUICK | ({"rtsp_transport": "tcp"} if url.startswith("rtsp") else {})
    timeouts_s = (settings.open_timeout_s, settings.stall_after_s)
    try:
        container = av.open(url, options=options, timeout=timeouts_s)
    except (av.FFmpegError, OSError, ValueError) as error:
        why = f"{reason_of(error)}; {address_advice(url)}"
        raise SourceError(f"{name} does not open: {why}") from None
    with container:
        if not container.streams.video:
            raise SourceError(f"{name} sends no image; expected a video stream")
        stream = container.streams.best("video") or container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would hold frames back
        context, convert = stream.codec_context, Converter(stream)
        logger.info(f"{name} delivers {context.width}x{context.height} as {context.name}")
        for packet in container.demux(stream):
            arrived_s = time.perf_counter()
            try:
                decoded = packet.decode()
            except av.InvalidDataError:
                continue  # a frame that was damaged on the way is one dropped frame
            for one in decoded:
                image_bgr, scale_xy = convert(one)
                yield Frame(image_bgr, arrived_s, 0, arrived_s, scale_xy=scale_xy)


def open_camera(
    device: int | str | Path,
    *,
    camera_size: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    rotate: int = 0,
    settings: LiveSettings | None = None,
) -> LiveSource:
    """A camera by index (0 or "0"), device path ("/dev/video0"), part of its name or address.

    Addresses are all that FFmpeg knows: rtsp://, http:// with MJPEG, rtmp://, udp://, ...
    """
    text, settings = str(device).strip(), settings or LiveSettings()
    common: Any = {"rotate": rotate, "settings": settings}
    if "://" in text:
        stream, hint = partial(capture_stream, text, settings), address_advice(text)
        return LiveSource(stream, name=redacted(text), kind="url", hint=hint, **common)
    camera = partial(capture_camera, text, camera_size, camera_fps)
    name = _name(int(text) if text.isdecimal() else text)
    return LiveSource(camera, name=name, kind="camera", **common)


def _place_of(device: str) -> int | str:
    """Index or device path of the camera that is meant, capitals ignored in its name."""
    if device.isdecimal() or device.startswith("/dev/"):
        return int(device) if device.isdecimal() else device
    for camera in list_cameras():
        if device.lower() in camera.name.lower():
            return camera.index if camera.path.isdecimal() else camera.path
    raise SourceError(f"no camera is called {device}; `livepose cameras` lists them")


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
    found = []
    for index in range(_MAX_INDICES if sys.platform != "linux" else 0):
        with _opened(index) as capture:
            if capture.isOpened():
                found.append(Camera(index, str(index), f"camera {index}"))
    for entry in system_list.glob("video*"):
        # A camera has several nodes; those beyond the first carry metadata and no image.
        if _first_line(entry / "index") in ("", "0"):
            index = int(entry.name.removeprefix("video"))
            name = _first_line(entry / "name") or entry.name
            found.append(Camera(index, f"/dev/{entry.name}", name))
    return sorted(found, key=lambda camera: camera.index)


def modes(camera: Camera) -> list[str]:
    """Which of the common sizes it has, as "1280x720 at 30 fps as MJPG"; found by trying."""
    with _opened(camera.index) as capture:
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        sizes = _COMMON_SIZES if capture.isOpened() else ()
        return [_mode(capture) for size_wh in sizes if _set_size(capture, size_wh) == size_wh]


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


@contextmanager
def _opened(device: int | str, backend: int = cv2.CAP_ANY) -> Iterator[Any]:
    with quiet_opencv():
        capture = cv2.VideoCapture(device, backend)
    try:
        yield capture
    finally:
        capture.release()


def _set_size(capture: Any, size_wh: tuple[int, int]) -> tuple[int, int]:
    """Asks for a size, and says which it has then."""
    for what, value in zip(_SIZE, size_wh, strict=True):
        capture.set(what, value)
    return int(capture.get(_SIZE[0])), int(capture.get(_SIZE[1]))


def _mode(capture: Any) -> str:
    properties = *_SIZE, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FOURCC
    width, height, fps, fourcc = map(capture.get, properties)
    letters = (int(fourcc) & 0xFFFFFFFF).to_bytes(4, "little").decode("ascii", "replace")
    form = letters if letters.isprintable() and letters.strip() else "unknown format"
    return f"{width:.0f}x{height:.0f} at {f'{fps:g} fps' if fps > 0 else 'any rate'} as {form}"
