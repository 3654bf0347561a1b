"""Cameras at this machine, through OpenCV: by index, device path or name."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SourceError
from livepose.frame import ImageBgr
from livepose.paths import exists
from livepose.sources._connection import CaptureLost
from livepose.sources._quiet import quiet
from livepose.sources.devices import find_by_name
from livepose.sources.live import LiveSettings, LiveSource
from livepose.sources.stream import open_stream

_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_ADVICE = "is it plugged in, and not used by another program? `livepose cameras` lists them"

Factory = Callable[[Any, int], Any]
"""Makes a capture like ``cv2.VideoCapture(device, backend)``."""


class CameraCapture:
    """An open ``cv2.VideoCapture``; compressed frames (MJPG) are asked for first.

    Uncompressed frames of 1280x720 do not fit through USB 2 at 30 a second, which is why the
    order matters: format, then size, then rate.
    """

    scale_xy = (1.0, 1.0)

    def __init__(
        self,
        device: int | str,
        *,
        size_wh: tuple[int, int] | None = None,
        fps: float | None = None,
        backend: int | None = None,
        factory: Factory | None = None,
    ) -> None:
        self._name = camera_name(device)
        chosen = _BACKENDS.get(sys.platform, cv2.CAP_ANY) if backend is None else backend
        with quiet():
            self._capture = (factory or cv2.VideoCapture)(device, chosen)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{self._name} does not open; {_ADVICE}")
        self._ask(size_wh, fps)
        self.mode = f"asked for {_words(size_wh, fps, 'MJPG')}, delivers {self._delivered()}"

    def read(self) -> tuple[ImageBgr, float]:
        """Waits for a frame; the time is taken before it is decompressed."""
        grabbed = self._capture.grab()
        captured_s = time.perf_counter()
        good, image = self._capture.retrieve() if grabbed else (False, None)
        if not good or image is None:
            raise CaptureLost("the device stopped")
        image_bgr = np.asarray(image)
        return (image_bgr if image_bgr.ndim == 3 else _coloured(image_bgr)), captured_s

    def close(self) -> None:
        """Gives the device back."""
        self._capture.release()

    def _ask(self, size_wh: tuple[int, int] | None, fps: float | None) -> None:
        self._capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        if size_wh is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def _delivered(self) -> str:
        get = self._capture.get
        size_wh = (int(get(cv2.CAP_PROP_FRAME_WIDTH)), int(get(cv2.CAP_PROP_FRAME_HEIGHT)))
        fps = float(get(cv2.CAP_PROP_FPS))
        return _words(size_wh, fps if fps > 0 else None, _letters(int(get(cv2.CAP_PROP_FOURCC))))


def open_camera(
    device: int | str | Path,
    *,
    camera_size: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    rotate: int = 0,
    settings: LiveSettings | None = None,
) -> LiveSource:
    """A camera by index (0 or "0"), device path ("/dev/video0"), part of its name, or address.

    Raises
    ------
    SourceError
        When there is no such camera, or it sends nothing, within a few seconds.
    """
    if "://" in str(device):
        return open_stream(str(device), rotate=rotate, settings=settings)

    def opener() -> CameraCapture:
        found = _resolve(device)  # each time: who is plugged in again may get another number
        _check_exists(found)
        return CameraCapture(found, size_wh=camera_size, fps=camera_fps)

    try:
        name = camera_name(_resolve(device))
    except SourceError:
        name = str(device)
    return LiveSource(opener, name=name, kind="camera", rotate=rotate, settings=settings)


def camera_name(device: int | str) -> str:
    """What messages call it: camera 0, /dev/video0."""
    return f"camera {device}" if isinstance(device, int) else device


def _resolve(device: int | str | Path) -> int | str:
    """An index or a device path for whatever names the camera."""
    text = str(device).strip()
    if text.isdecimal():
        return int(text)
    if text.startswith("/dev/"):
        return text
    found = find_by_name(text)
    if found is None:
        raise SourceError(f"no camera is called {text}; `livepose cameras` lists them")
    return found


def _check_exists(device: int | str) -> None:
    """On Linux says at once when there is no such device, before the driver tries and warns."""
    path = Path(f"/dev/video{device}" if isinstance(device, int) else device)
    if sys.platform == "linux" and not exists(path):
        name = camera_name(device)
        missing = f" ({path})" if str(path) != name else ""
        raise SourceError(f"{name} does not exist{missing}; {_ADVICE}")


def _words(size_wh: tuple[int, int] | None, fps: float | None, form: str) -> str:
    size = f"{size_wh[0]}x{size_wh[1]}" if size_wh else "any size"
    rate = f"{fps:g} fps" if fps else "any rate"
    return f"{size} at {rate} as {form}"


def _letters(fourcc: int) -> str:
    """A four-character code in letters."""
    letters = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("ascii", "replace")
    return letters if letters.isprintable() and letters.strip() else "unknown format"


def _coloured(gray: ImageBgr) -> ImageBgr:
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
