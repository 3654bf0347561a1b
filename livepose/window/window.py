"""A window: shows pictures, and turns keys and the close button into commands."""

import enum
import os
from itertools import islice

import cv2

from livepose.closable import Closable
from livepose.frame import ImageBgr
from livepose.window.display import available, map_again, quieten_qt

_FIRST_SIZE_WH = (1280, 800)
"""A window opens at the picture's own size up to this one; the user may change it."""
_MOST_KEYS = 16
_SETTLE = 3
"""Times that the first picture is shown before the window is taken for mapped."""


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


class Window(Closable):
    """A window on the screen, opened with the first picture.

    All calls have to come from one thread, on macOS the main thread. Ask ``available`` first.

    Examples
    --------
    >>> with Window("livepose") as window:  # doctest: +SKIP
    ...     while Command.QUIT not in window.poll():
    ...         window.show(picture_bgr)
    """

    available = staticmethod(available)

    def __init__(self, title: str) -> None:
        self.title = title
        self.is_open = False
        self._closed = False

    def show(self, image_bgr: ImageBgr) -> None:
        """Shows a picture; does nothing once the user has closed the window."""
        if self._closed:
            return
        if not self.is_open:
            self._first(image_bgr)
        cv2.imshow(self.title, image_bgr)

    def poll(self) -> list[Command]:
        """What the user asked for since the last call, oldest first; keeps the window alive."""
        commands = pressed() if self.is_open else []
        if self.is_open and not self._visible():
            self._closed, self.is_open = True, False
            return [*commands, Command.QUIT]
        return [Command.QUIT] if self._closed else commands

    def close(self) -> None:
        """Takes the window from the screen; a second call does nothing."""
        if self.is_open:
            cv2.destroyWindow(self.title)
            cv2.waitKey(1)
        self._closed, self.is_open = True, False

    def _first(self, image_bgr: ImageBgr) -> None:
        quieten_qt(os.environ)
        cv2.namedWindow(
            self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        )
        height, width = image_bgr.shape[:2]
        cv2.resizeWindow(self.title, *first_size_wh(width, height))
        for _ in range(_SETTLE):
            cv2.imshow(self.title, image_bgr)
            cv2.waitKey(1)
        map_again(self.title, lambda: cv2.waitKey(1))
        self.is_open = True

    def _visible(self) -> bool:
        try:
            return float(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE)) >= 1.0
        except cv2.error:
            return False  # some toolkits raise for a window that is gone


def pressed() -> list[Command]:
    """The commands of the keys that were pressed in the open window, oldest first."""
    codes = iter(lambda: cv2.waitKeyEx(1), -1)
    commands = (command_of(code) for code in islice(codes, _MOST_KEYS))
    return [command for command in commands if command is not None]


def command_of(code: int) -> Command | None:
    """The command of a key code of ``cv2.waitKeyEx``; None for a key that means nothing.

    The upper half of a code holds modifiers such as NumLock. A special key must not be taken for
    the letter in its lowest byte: the left arrow is 0xFF51 under X11, and 0x51 is "Q".
    """
    character = code & 0xFFFF
    if character < 128:
        character = ord(chr(character).lower())
    return KEYS.get(character)


def first_size_wh(
    width: int, height: int, most_wh: tuple[int, int] = _FIRST_SIZE_WH
) -> tuple[int, int]:
    """The size at which a picture is first shown: its own, or less with the same shape."""
    scale = min(1.0, most_wh[0] / width, most_wh[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
