"""Cameras at this machine, through OpenCV: which there are, and opening one of them."""

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SourceError
from livepose.frame import ImageBgr
from livepose.paths import exists
from livepose.sources.libraries import quiet_opencv
from livepose.sources.live import CaptureLost, LiveSettings, LiveSource
from livepose.sources.stream import open_stream

SYSTEM_LIST = Path("/sys/class/video4linux")
_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_ADVICE = "is it plugged in, and not used by another program? `livepose cameras` lists them"
_COMMON_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (3840, 2160))
_MAX_INDICES = 8


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
            raise SourceError(f"{camera_name(device)} does not open; {_ADVICE}")
        set_, get = self._capture.set, self._capture.get
        set_(cv2.CAP_PROP_FOURCC, _MJPG)
        if size_wh is not None:
            set_(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
            set_(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
        if fps is not None:
            set_(cv2.CAP_PROP_FPS, fps)
        set_(cv2.CAP_PROP_BUFFERSIZE, 1)
        got_wh, got_fps = _size_wh(self._capture), float(get(cv2.CAP_PROP_FPS))
        got = _words(got_wh, max(got_fps, 0.0), _letters(int(get(cv2.CAP_PROP_FOURCC))))
        self.mode = f"asked for {_words(size_wh, fps, 'MJPG')}, delivers {got}"

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
    return f"{size} at {f'{fps:g} fps' if fps else 'any rate'} as {form}"


def _letters(fourcc: int) -> str:
    """A four-character code in letters."""
    letters = fourcc.to_bytes(4, "little", signed=fourcc < 0).decode("ascii", "replace")
    return letters if letters.isprintable() and letters.strip() else "unknown format"


@dataclass(frozen=True)
class Camera:
    """A camera: OpenCV's index, device path (the index again where there are no paths), name."""

    index: int
    path: str
    name: str


def list_cameras(system_list: Path = SYSTEM_LIST) -> list[Camera]:
    """Cameras of this machine by index; on Linux from the kernel's list, else by trying."""
    if sys.platform != "linux":
        opened = [(index, _opened(index)) for index in range(_MAX_INDICES)]
        found = [Camera(i, str(i), f"camera {i}") for i, capture in opened if capture.isOpened()]
        for _, capture in opened:
            capture.release()
        return found
    found = []
    for entry in system_list.glob("video*"):
        # A camera has several nodes; those beyond the first carry metadata and no picture.
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
    """Modes in words, as "MJPG 1280x720 at 30, 15 fps"; by trying where v4l2-ctl is missing."""
    tool = shutil.which("v4l2-ctl")
    if tool is not None:
        command = [tool, "--device", camera.path, "--list-formats-ext"]
        listing = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return parse_modes(listing.stdout)
    capture, found = _opened(camera.index), []
    for width, height in _COMMON_SIZES if capture.isOpened() else ():
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if _size_wh(capture) == (width, height):
            found.append(f"{width}x{height}")
    capture.release()
    return found


def parse_modes(listing: str) -> list[str]:
    """Modes from the text of ``v4l2-ctl --list-formats-ext``."""
    rates: dict[str, list[str]] = {}
    form = size = ""
    for line in listing.splitlines():
        if match := re.search(r"\[\d+\]: '(\w+)'", line):
            form = match[1]
        elif match := re.search(r"Size: \w+ (\d+x\d+)", line):
            size = f"{form} {match[1]}"
            rates.setdefault(size, [])
        elif (match := re.search(r"\(([\d.]+) fps\)", line)) and size:
            rates[size].append(f"{float(match[1]):g}")
    return [f"{mode} at {', '.join(fps)} fps" if fps else mode for mode, fps in rates.items()]


def measured_fps(camera: Camera, seconds: float = 2.0) -> float | None:
    """Frames a second that really arrive; None when the camera does not open or sends nothing."""
    capture = _opened(camera.index)
    try:
        if not capture.isOpened() or not capture.grab():
            return None
        start_s = now_s = time.perf_counter()
        frames = 0
        while now_s - start_s < seconds and capture.grab():
            frames += 1
            now_s = time.perf_counter()
        return frames / (now_s - start_s) if frames else None
    finally:
        capture.release()


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _opened(device: int | str, backend: int = cv2.CAP_ANY) -> Any:
    with quiet_opencv():
        return cv2.VideoCapture(device, backend)


def _size_wh(capture: Any) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
