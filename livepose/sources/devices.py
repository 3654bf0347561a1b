"""Which cameras this machine has: names, modes, and how fast they really are."""

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from livepose.sources._quiet import quiet

SYSTEM_LIST = Path("/sys/class/video4linux")
_COMMON_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (3840, 2160))
_MAX_INDICES = 8


@dataclass(frozen=True)
class Camera:
    """A camera: OpenCV's index, device path (the index again where there are no paths), name."""

    index: int
    path: str
    name: str


def list_cameras(system_list: Path = SYSTEM_LIST) -> list[Camera]:
    """Cameras of this machine by index; on Linux from the kernel's list, else by trying."""
    if sys.platform == "linux":
        return _kernel_list(system_list)
    return [Camera(i, str(i), f"camera {i}") for i in range(_MAX_INDICES) if _opens(i)]


def find_by_name(name: str, system_list: Path = SYSTEM_LIST) -> str | None:
    """Device path of the first camera with this text in its name, capitals ignored."""
    for camera in list_cameras(system_list):
        if name.lower() in camera.name.lower():
            return camera.path
    return None


def modes(camera: Camera) -> list[str]:
    """Modes in words, as "MJPG 1280x720 at 30, 15 fps"; by trying where v4l2-ctl is missing."""
    tool = shutil.which("v4l2-ctl")
    if tool is None:
        return _probed_modes(camera.index)
    command = [tool, "--device", camera.path, "--list-formats-ext"]
    listing = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return parse_modes(listing.stdout)


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
    capture = _capture(camera.index)
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


def _kernel_list(system_list: Path) -> list[Camera]:
    found = []
    for entry in system_list.glob("video*"):
        # A camera has several nodes; those beyond the first carry metadata and no picture.
        if _first_line(entry / "index") in ("", "0"):
            index = int(entry.name.removeprefix("video"))
            name = _first_line(entry / "name") or entry.name
            found.append(Camera(index, f"/dev/{entry.name}", name))
    return sorted(found, key=lambda camera: camera.index)


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _opens(index: int) -> bool:
    capture = _capture(index)
    opened = bool(capture.isOpened())
    capture.release()
    return opened


def _probed_modes(index: int) -> list[str]:
    capture = _capture(index)
    found = []
    for width, height in _COMMON_SIZES if capture.isOpened() else ():
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        got = (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if got == (width, height):
            found.append(f"{width}x{height}")
    capture.release()
    return found


def _capture(index: int) -> Any:
    with quiet():
        return cv2.VideoCapture(index)
