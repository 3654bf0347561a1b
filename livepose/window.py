"""A window for the thread that plays a source, or for several threads, a tile each.

Qt, the toolkit inside opencv-python, ends the whole process when its display cannot be reached:
``Window.available`` looks first.
"""

import ctypes
import enum
import math
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.frame import ImageBgr
from livepose.threads import Closable

_FIRST_SIZE_WH = (1280, 800)
"""A window opens at the image's own size up to this one; the user may change it."""
_FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
_MOST_KEYS = 16
_SETTLE = 3
"""Times that the first image is shown before the window is taken for mapped."""
_PROBE_S = 5.0
_POLL_S = 0.02
_TILE_WH = (640, 480)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Command(enum.Enum):
    """What the user asks for, by its keys; capitals mean the same."""

    QUIT = "q\x1b"
    SNAPSHOT = "s"
    RECORD = "r"
    PAUSE = " "
    HUD = "h"
    DECODING = "d"
    UNCERTAINTY = "u"


class Window(Closable):
    """A window on the screen, opened with the first image.

    All calls have to come from one thread, on macOS the main thread. Ask ``available`` first.

    Examples
    --------
    >>> with Window("livepose") as window:  # doctest: +SKIP
    ...     while Command.QUIT not in window.poll():
    ...         window.show(image_bgr)
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.is_open = False
        self._closed = False

    @staticmethod
    def available() -> tuple[bool, str]:
        """Whether a window can be opened, and in words why not ("" when it can)."""
        reason = _missing_toolkit(cv2.getBuildInformation())
        if not reason and sys.platform.startswith("linux"):
            reason = _missing_display(os.environ)
        return not reason, reason

    def show(self, image_bgr: ImageBgr) -> None:
        """Shows an image; does nothing once the user has closed the window."""
        if self._closed:
            return
        if not self.is_open:
            self._open(image_bgr)
        cv2.imshow(self.title, image_bgr)

    def poll(self) -> list[Command]:
        """What the user asked for since the last call, oldest first; keeps the window alive."""
        if not self.is_open:
            return [Command.QUIT] if self._closed else []
        codes = islice(iter(lambda: cv2.waitKeyEx(1), -1), _MOST_KEYS)
        commands = [command for code in codes if (command := command_of(code)) is not None]
        if not self._visible():
            self._closed, self.is_open = True, False
            commands.append(Command.QUIT)
        return commands

    def close(self) -> None:
        """Takes the window from the screen; a second call does nothing."""
        if self.is_open:
            cv2.destroyWindow(self.title)
            cv2.waitKey(1)
        self._closed, self.is_open = True, False

    def _open(self, image_bgr: ImageBgr) -> None:
        quieten_qt(os.environ)
        width, height = first_size_wh(image_bgr.shape[1], image_bgr.shape[0])
        cv2.namedWindow(self.title, _FLAGS)
        cv2.resizeWindow(self.title, width, height)
        for _ in range(_SETTLE):
            cv2.imshow(self.title, image_bgr)
            cv2.waitKey(1)
        _map_again(self.title)
        self.is_open = True

    def _visible(self) -> bool:
        try:
            return float(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE)) >= 1.0
        except cv2.error:
            return False  # some toolkits raise for a window that is gone


class Tile:
    """One part of the window for one thread, which shows and hears through it."""

    def __init__(self, part_bgr: ImageBgr, changed: threading.Event) -> None:
        self._part_bgr, self._changed = part_bgr, changed
        self._newest_bgr: deque[ImageBgr] = deque(maxlen=1)
        self.commands: deque[Command] = deque()
        """What the keys and the close button said."""

    def show(self, image_bgr: ImageBgr) -> None:
        """Hands over an image; of several that nobody came to show, the newest is shown."""
        tile_bgr = np.zeros_like(self._part_bgr)
        height, width = tile_bgr.shape[:2]
        inner_wh = first_size_wh(image_bgr.shape[1], image_bgr.shape[0], (width, height))
        x, y = (width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2
        inner_bgr = cv2.resize(image_bgr, inner_wh, interpolation=cv2.INTER_AREA)
        tile_bgr[y : y + inner_wh[1], x : x + inner_wh[0]] = inner_bgr
        self._hand_over(tile_bgr)

    def poll(self) -> list[Command]:
        """What the user asked for since the last call, oldest first."""
        return [self.commands.popleft() for _ in range(len(self.commands))]

    def close(self) -> None:
        """Says that nothing more comes."""
        self._hand_over(captioned(np.zeros_like(self._part_bgr), "ended"))

    def refresh(self) -> bool:
        """In the screen's thread: puts what is new into its part; whether there was anything."""
        if not self._newest_bgr:
            return False
        self._part_bgr[:] = self._newest_bgr.pop()
        return True

    def _hand_over(self, tile_bgr: ImageBgr) -> None:
        self._newest_bgr.append(tile_bgr)
        self._changed.set()


class Screen:
    """A window with so many tiles, row by row. Keys and the close button are heard by all."""

    def __init__(self, title: str, count: int) -> None:
        columns = math.ceil(math.sqrt(count))
        width, height = _TILE_WH
        shape = (math.ceil(count / columns) * height, columns * width, 3)
        self._window, self._mosaic_bgr = Window(title), np.zeros(shape, np.uint8)
        self._changed = threading.Event()
        corners = (divmod(number, columns) for number in range(count))
        self.tiles = [
            Tile(self._mosaic_bgr[row * height :, column * width :][:height, :width], self._changed)
            for row, column in corners
        ]

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Shows and listens for as long as it ``goes_on``; then the window is closed."""
        with self._window as window:
            while goes_on():
                self._changed.wait(_POLL_S)
                self._changed.clear()
                if sum(tile.refresh() for tile in self.tiles):
                    window.show(self._mosaic_bgr)
                commands = window.poll()
                for tile in self.tiles:
                    tile.commands.extend(commands)


def captioned(image_bgr: ImageBgr, line: str) -> ImageBgr:
    """A copy of the image with a line of text in its lower left corner."""
    drawn_bgr = np.ascontiguousarray(image_bgr).copy()
    height = drawn_bgr.shape[0]
    scale = max(0.4, height / 900)
    (width, text_height), below = cv2.getTextSize(line, _FONT, scale, 1)
    margin = text_height
    corner = (0, height - text_height - below - 2 * margin)
    cv2.rectangle(drawn_bgr, corner, (width + 2 * margin, height), (0, 0, 0), cv2.FILLED)
    place = (margin, height - below - margin)
    cv2.putText(drawn_bgr, line, place, _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn_bgr


def command_of(code: int) -> Command | None:
    """The command of a key code of ``cv2.waitKeyEx``; None for a key that means nothing.

    The upper half of a code holds modifiers such as NumLock. A special key must not be taken for
    the letter in its lowest byte: the left arrow is 0xFF51 under X11, and 0x51 is "Q".
    """
    key = chr(code & 0xFFFF).lower()
    return next((command for command in Command if key in command.value), None)


def first_size_wh(
    width: int, height: int, most_wh: tuple[int, int] = _FIRST_SIZE_WH
) -> tuple[int, int]:
    """The size at which an image is first shown: its own, or less with the same shape."""
    scale = min(1.0, most_wh[0] / width, most_wh[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def quieten_qt(environment: MutableMapping[str, str]) -> None:
    """Has Qt print no warnings, and ask for a platform that this OpenCV has."""
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
    display = environment.get("DISPLAY")
    if not display:
        if environment.get("WAYLAND_DISPLAY"):
            return "OpenCV's window needs X11: start XWayland and set DISPLAY"
        return "there is no display (DISPLAY is not set)"
    xcb = _xcb()
    if xcb is None:
        return "the library libxcb.so.1 is missing: apt-get install libxcb1"
    refused: list[int] = []

    # Connects as Qt would. In a thread, because a display may accept and never answer.
    def connect() -> None:
        connection = ctypes.c_void_p(xcb.xcb_connect(display.encode(), None))
        refused.append(xcb.xcb_connection_has_error(connection))
        xcb.xcb_disconnect(connection)

    probe = threading.Thread(target=connect, daemon=True)
    probe.start()
    probe.join(_PROBE_S)
    if not refused:
        return f"the display {display} did not answer within {_PROBE_S:g} s"
    return f"the display {display} cannot be reached" if refused[0] else ""


def _map_again(title: str) -> None:
    """Takes a window from the X11 screen, and puts it back.

    Without a window manager Qt misses the first mapping of a window in a fourth of all starts, and
    never paints it. A window manager puts windows into its own: then none is found here, nor needs
    to be. By libxcb, as an error of Xlib's would end the process.
    """
    xcb = _xcb() if sys.platform.startswith("linux") else None
    if xcb is None:
        return
    display = ctypes.c_void_p(xcb.xcb_connect(None, None))
    if not xcb.xcb_connection_has_error(display):
        root = xcb.xcb_setup_roots_iterator(ctypes.c_void_p(xcb.xcb_get_setup(display))).data[0]
        tree = xcb.xcb_query_tree_reply(display, xcb.xcb_query_tree(display, root), None)
        count = xcb.xcb_query_tree_children_length(ctypes.c_void_p(tree))
        for window in xcb.xcb_query_tree_children(ctypes.c_void_p(tree))[:count]:
            if _x11_name(xcb, display, window) == title.encode():
                for change in (xcb.xcb_unmap_window, xcb.xcb_map_window):
                    change(display, window)
                    _x11_name(xcb, display, window)  # once the server answers, it has changed it
                    cv2.waitKey(1)
    xcb.xcb_disconnect(display)


class _Screens(ctypes.Structure):
    """``xcb_screen_iterator_t``; a screen begins with the number of its root window."""

    _fields_ = (("data", ctypes.POINTER(ctypes.c_uint32)), ("left", ctypes.c_int * 2))


def _xcb() -> Any:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return None
    for name in ("connect", "get_setup", "query_tree_reply", "get_property_reply",
                 "get_property_value"):  # fmt: skip
        getattr(xcb, f"xcb_{name}").restype = ctypes.c_void_p
    xcb.xcb_setup_roots_iterator.restype = _Screens
    xcb.xcb_query_tree_children.restype = ctypes.POINTER(ctypes.c_uint32)
    return xcb


def _x11_name(xcb: Any, display: ctypes.c_void_p, window: int) -> bytes | None:
    wm_name = 39
    asked = xcb.xcb_get_property(display, 0, window, wm_name, 0, 0, 256)
    reply = ctypes.c_void_p(xcb.xcb_get_property_reply(display, asked, None))
    if not reply:
        return None  # it is gone meanwhile
    length = xcb.xcb_get_property_value_length(reply)
    return ctypes.string_at(xcb.xcb_get_property_value(reply), length)
