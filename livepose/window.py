"""The window: shows pictures, and turns keys and the close button into commands.

Whether a window is possible is found out before one is opened: Qt, the toolkit inside
opencv-python, ends the whole process when its display cannot be reached.
"""

import enum
import os
import re
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType

import cv2

from livepose.frame import ImageBgr

_FIRST_SIZE_WH = (1280, 800)
"""A window opens at the picture's own size up to this one; the user may change it."""
_MOST_KEYS = 16
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


class Command(enum.Enum):
    """What the user asked for."""

    QUIT = "quit"
    SNAPSHOT = "snapshot"
    RECORD = "record"
    PAUSE = "pause"
    HUD = "hud"
    DECODING = "decoding"
    UNCERTAINTY = "uncertainty"


KEYS: dict[int, Command] = {
    ord("q"): Command.QUIT,
    27: Command.QUIT,
    ord("s"): Command.SNAPSHOT,
    ord("r"): Command.RECORD,
    ord(" "): Command.PAUSE,
    ord("h"): Command.HUD,
    ord("d"): Command.DECODING,
    ord("u"): Command.UNCERTAINTY,
}
"""Character codes; capitals mean the same."""


class Window:
    """A window on the screen, opened with the first picture.

    All calls have to come from one thread, on macOS the main thread. Ask ``available`` first.

    Examples
    --------
    >>> with Window("livepose") as window:  # doctest: +SKIP
    ...     while Command.QUIT not in window.poll():
    ...         window.show(picture_bgr)
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._open = False
        self._closed = False

    @staticmethod
    def available() -> tuple[bool, str]:
        """Whether a window can be opened, and in words why not ("" when it can)."""
        reason = _missing_toolkit(cv2.getBuildInformation())
        if not reason and sys.platform.startswith("linux"):
            reason = _missing_display(os.environ)
        return not reason, reason

    def show(self, image_bgr: ImageBgr) -> None:
        """Shows a picture; does nothing once the user has closed the window."""
        if self._closed:
            return
        if not self._open:
            self._first(image_bgr)
        cv2.imshow(self.title, image_bgr)

    def poll(self) -> list[Command]:
        """What the user asked for since the last call, oldest first; keeps the window alive."""
        if self._closed:
            return [Command.QUIT]
        if not self._open:
            return []
        commands = []
        for _ in range(_MOST_KEYS):
            code = cv2.waitKeyEx(1)
            if code == -1:
                break
            command = command_of(code)
            if command is not None:
                commands.append(command)
        if not self._visible():
            self._closed, self._open = True, False
            commands.append(Command.QUIT)
        return commands

    def close(self) -> None:
        """Takes the window from the screen; a second call does nothing."""
        if self._open:
            cv2.destroyWindow(self.title)
            cv2.waitKey(1)
        self._closed, self._open = True, False

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _first(self, image_bgr: ImageBgr) -> None:
        quieten_qt(os.environ)
        cv2.namedWindow(
            self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        )
        cv2.resizeWindow(self.title, *first_size_wh(image_bgr.shape[1], image_bgr.shape[0]))
        self._open = True

    def _visible(self) -> bool:
        try:
            return float(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE)) >= 1.0
        except cv2.error:
            return False  # some toolkits raise for a window that is gone


def command_of(code: int) -> Command | None:
    """The command of a key code of ``cv2.waitKeyEx``; None for a key that means nothing.

    The upper half of a code holds modifiers such as NumLock. A special key must not be taken for
    the letter in its lowest byte: the left arrow is 0xFF51 under X11, and 0x51 is "Q".
    """
    character = code & 0xFFFF
    if character < 128:
        character = ord(chr(character).lower())
    return KEYS.get(character)


def first_size_wh(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture's window opens: its own, or less with the same shape."""
    scale = min(1.0, _FIRST_SIZE_WH[0] / width, _FIRST_SIZE_WH[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


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
