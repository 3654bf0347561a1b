"""Whether this process can open a window, and what Qt has to be told before it does.

Qt, the toolkit inside opencv-python, ends the whole process when its display cannot be reached.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import cv2

_PROBE_S = 5.0
_X11_PROBE = """
import ctypes
try:
    xcb = ctypes.CDLL("libxcb.so.1")
except OSError:
    raise SystemExit(3)
xcb.xcb_connect.restype = ctypes.c_void_p
xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
raise SystemExit(4 if xcb.xcb_connection_has_error(xcb.xcb_connect(None, None)) else 0)
"""
"""Connects as Qt would, with the same library and the same permissions, and never aborts."""

_FONT_FOLDERS = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/truetype/liberation",
    "/usr/share/fonts/dejavu-sans-fonts",
    "/usr/share/fonts/TTF",
    "/usr/share/fonts",
)


def available() -> tuple[bool, str]:
    """Whether a window can be opened, and in words why not ("" when it can)."""
    reason = _missing_toolkit(cv2.getBuildInformation())
    if not reason and sys.platform.startswith("linux"):
        reason = _missing_display(os.environ)
    return not reason, reason


def quieten_qt(environment: MutableMapping[str, str]) -> None:
    """Tells Qt where fonts are and which platform it has, so that it prints no warnings.

    opencv-python points Qt at a folder of fonts that it does not ship, when it is imported; Qt
    looks when the first window opens. What the user has set otherwise stays.
    """
    told = environment.get("QT_QPA_FONTDIR")
    if told is None or not Path(told).is_dir():
        found = next((folder for folder in _FONT_FOLDERS if Path(folder).is_dir()), None)
        if found is not None:
            environment["QT_QPA_FONTDIR"] = found
    environment.setdefault("QT_LOGGING_RULES", "qt.qpa.*=false;*.warning=false")
    if sys.platform.startswith("linux") and environment.get("DISPLAY"):
        # The only platform that opencv-python ships; a Wayland desktop asks for another, and Qt
        # would end the process.
        if _platform(environment) == "xcb":
            environment["QT_QPA_PLATFORM"] = "xcb"


def _platform(environment: Mapping[str, str]) -> str:
    """The platform that Qt is asked for; xcb where this OpenCV does not have that one."""
    asked = environment.get("QT_QPA_PLATFORM", "xcb").split(":")[0].split(";")[0]
    plugins = list((Path(cv2.__file__).parent / "qt/plugins/platforms").glob("libq*.so"))
    there = not plugins or any(one.name == f"libq{asked}.so" for one in plugins)
    return asked if there else "xcb"


def _missing_toolkit(build_information: str) -> str:
    """Why this OpenCV has no windows, "" when it has."""
    found = re.search(r"^\s*GUI:\s*(\S+)", build_information, flags=re.MULTILINE)
    if found is not None and found[1].upper() not in ("NONE", "NO"):
        return ""
    return (
        "this OpenCV was built without windows (opencv-python-headless?); pip uninstall "
        "opencv-python-headless, then pip install --force-reinstall opencv-python"
    )


def _missing_display(environment: Mapping[str, str]) -> str:
    """Why the display of a Linux machine cannot be used, "" when it can."""
    if _platform(environment) != "xcb":
        return ""  # the user chose a platform that needs no X11, and knows why
    if not environment.get("DISPLAY"):
        if environment.get("WAYLAND_DISPLAY"):
            return "OpenCV's window needs X11: start XWayland and set DISPLAY"
        return "there is no display (DISPLAY is not set)"
    return _unreachable_display(environment["DISPLAY"])


def _unreachable_display(display: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", _X11_PROBE]
    try:
        code = subprocess.run(
            command, capture_output=True, timeout=_PROBE_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return f"the display {display} did not answer within {_PROBE_S:g} s"
    if code == 3:
        return "the library libxcb.so.1 is missing: apt-get install libxcb1"
    return f"the display {display} cannot be reached" if code else ""
