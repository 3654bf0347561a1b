"""Windows of several threads: all of them belong to one thread, as toolkits demand."""

import threading
from collections import deque
from collections.abc import Callable

from livepose.frame import ImageBgr
from livepose.window.window import Command, Window, pressed

_POLL_S = 0.02
_PANE_WH = (640, 480)
_TITLE_BAR_PX = 40
_COLUMNS = 2


class Pane:
    """One window for one thread: it shows and hears; the screen's thread does what that means."""

    def __init__(self, window: Window, changed: threading.Event) -> None:
        self._window, self._changed = window, changed
        self._newest_bgr: ImageBgr | None = None
        self._commands: deque[Command] = deque()
        self._closed = False

    def show(self, image_bgr: ImageBgr) -> None:
        """Hands over a picture; of several that nobody came to show, the newest is shown."""
        self._newest_bgr = image_bgr
        self._changed.set()

    def poll(self) -> list[Command]:
        """What the user asked for since the last call, oldest first."""
        return [self._commands.popleft() for _ in range(len(self._commands))]

    def ask(self, *commands: Command) -> None:
        """As if the user had asked for it."""
        self._commands.extend(commands)

    def close(self) -> None:
        """Has the window taken from the screen."""
        self._closed = True
        self._changed.set()

    def refresh(self) -> bool:
        """In the screen's thread: shows what is new; whether there is a window."""
        newest_bgr, self._newest_bgr = self._newest_bgr, None
        if self._closed:
            self._window.close()
        elif newest_bgr is not None:
            self._window.show(newest_bgr)
        return self._window.is_open

    def hear(self, commands: list[Command]) -> None:
        """In the screen's thread: what the keys said, and the close button."""
        if self._window.is_open:
            self.ask(*self._window.heard(commands))


class Screen:
    """Windows side by side. A key is heard by all of them, the close button by its own."""

    def __init__(self) -> None:
        self._panes: list[Pane] = []
        self._changed = threading.Event()

    def pane(self, title: str) -> Pane:
        """One more window, which opens with its first picture."""
        row, column = divmod(len(self._panes), _COLUMNS)
        at_xy = (column * _PANE_WH[0], row * (_PANE_WH[1] + _TITLE_BAR_PX))
        self._panes.append(Pane(Window(title, _PANE_WH, at_xy), self._changed))
        return self._panes[-1]

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Shows and listens for as long as it ``goes_on``; then all windows are closed."""
        try:
            while goes_on():
                self._changed.wait(_POLL_S)
                self._changed.clear()
                shown = [pane.refresh() for pane in self._panes]
                if any(shown):
                    commands = pressed()
                    for pane in self._panes:
                        pane.hear(commands)
        finally:
            for pane in self._panes:
                pane.close()
                pane.refresh()
