"""Several sources in one window, a tile each: it belongs to one thread, as toolkits demand."""

import math
import threading
from collections import deque
from collections.abc import Callable

import cv2
import numpy as np

from livepose.frame import ImageBgr
from livepose.window.window import Command, Window, first_size_wh

_POLL_S = 0.02
_TILE_WH = (640, 480)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def captioned(image_bgr: ImageBgr, line: str) -> ImageBgr:
    """A copy of the picture with a line of text in its lower left corner."""
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


class Tile:
    """One part of the window for one thread, which shows and hears through it."""

    def __init__(self, part_bgr: ImageBgr, changed: threading.Event) -> None:
        self._part_bgr, self._changed = part_bgr, changed
        self._newest_bgr: deque[ImageBgr] = deque(maxlen=1)
        self._commands: deque[Command] = deque()

    def show(self, image_bgr: ImageBgr) -> None:
        """Hands over a picture; of several that nobody came to show, the newest is shown."""
        tile_bgr = np.zeros_like(self._part_bgr)
        height, width = tile_bgr.shape[:2]
        inner_wh = first_size_wh(image_bgr.shape[1], image_bgr.shape[0], (width, height))
        x, y = (width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2
        inner_bgr = cv2.resize(image_bgr, inner_wh, interpolation=cv2.INTER_AREA)
        tile_bgr[y : y + inner_wh[1], x : x + inner_wh[0]] = inner_bgr
        self._hand_over(tile_bgr)

    def poll(self) -> list[Command]:
        """What the user asked for since the last call, oldest first."""
        return [self._commands.popleft() for _ in range(len(self._commands))]

    def ask(self, commands: list[Command]) -> None:
        """In the screen's thread: what the keys and the close button said."""
        self._commands.extend(commands)

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
                    tile.ask(commands)
