"""Whether this process can open a window, and what Qt has to be told before it does.

Qt, the toolkit inside opencv-python, ends the whole process when its display cannot be reached.
"""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

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


def map_again(title: str, between: Callable[[], object]) -> None:
    """Takes a window from the X11 screen and, after ``between``, puts it back.

    Without a window manager Qt misses the first mapping of a window in half of all starts, and
    never paints it. A window manager puts windows into its own: then none is found here, nor needs
    to be. By libxcb, as an error of Xlib's would end the process.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return
    for name, result in _XCB_RESULTS.items():
        getattr(xcb, name).restype = result
    display = ctypes.c_void_p(xcb.xcb_connect(None, None))
    if not xcb.xcb_connection_has_error(display):
        for window in _windows_named(xcb, display, title.encode()):
            for change in (xcb.xcb_unmap_window, xcb.xcb_map_window):
                change(display, window)
                _name_of(xcb, display, window)  # once the server answers, it has changed it
                between()
    xcb.xcb_disconnect(display)


class _Screens(ctypes.Structure):
    """``xcb_screen_iterator_t``; a screen begins with the number of its root window."""

    _fields_ = (
        ("data", ctypes.POINTER(ctypes.c_uint32)), ("left", ctypes.c_int), ("index", ctypes.c_int)
    )  # fmt: skip


_WM_NAME = 39
_XCB_RESULTS: dict[str, Any] = {
    "xcb_connect": ctypes.c_void_p,
    "xcb_get_setup": ctypes.c_void_p,
    "xcb_setup_roots_iterator": _Screens,
    "xcb_query_tree_reply": ctypes.c_void_p,
    "xcb_query_tree_children": ctypes.POINTER(ctypes.c_uint32),
    "xcb_get_property_reply": ctypes.c_void_p,
    "xcb_get_property_value": ctypes.c_void_p,
}


def _windows_named(xcb: Any, display: ctypes.c_void_p, title: bytes) -> list[int]:
    """The windows right on the screen with this title."""
    setup = ctypes.c_void_p(xcb.xcb_get_setup(display))
    root = xcb.xcb_setup_roots_iterator(setup).data[0]
    tree = ctypes.c_void_p(
        xcb.xcb_query_tree_reply(display, xcb.xcb_query_tree(display, root), None)
    )
    count = xcb.xcb_query_tree_children_length(tree)
    windows = xcb.xcb_query_tree_children(tree)[:count]
    return [window for window in windows if _name_of(xcb, display, window) == title]


def _name_of(xcb: Any, display: ctypes.c_void_p, window: int) -> bytes | None:
    asked = xcb.xcb_get_property(display, 0, window, _WM_NAME, 0, 0, 256)
    reply = ctypes.c_void_p(xcb.xcb_get_property_reply(display, asked, None))
    if not reply:
        return None  # it is gone meanwhile
    length = xcb.xcb_get_property_value_length(reply)
    return ctypes.string_at(xcb.xcb_get_property_value(reply), length)


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
