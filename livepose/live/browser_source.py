"""A page's own camera as the source: a phone or laptop films, this machine finds the people."""

import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import cv2
import numpy as np

from livepose.frame import Frame
from livepose.sources.source import Source
from livepose.threads import Latest

_USUAL_WH = (640, 480)
"""What the page asks of its camera; true until the first picture says otherwise."""
_LONGEST_SIDE_PX = 4096
_TAG_BYTES = 4
_TAGS_KEPT = 64


class BrowserSource(Source):
    """The newest picture that a page sent; it waits for as long as none comes.

    One page sends at a time: whoever begins first, until it has sent nothing for two seconds.
    ``refused`` counts the pictures that were not taken, by reason.
    """

    name = "browser"
    kind = "camera"
    live = True
    SILENT_AFTER_S = 2.0

    def __init__(self) -> None:
        self.size_wh = _USUAL_WH
        self.refused: Counter[str] = Counter()
        self._latest: Latest[tuple[int, bytes, float]] = Latest()
        self._sending = threading.Lock()
        self._sender, self._sent_s = 0, -np.inf
        self._tags: deque[tuple[int, int, int]] = deque(maxlen=_TAGS_KEPT)

    def take(self, sender: int, message: bytes) -> None:
        """Takes a page's message: four bytes of a number, and a JPEG. Wrong ones are counted."""
        now_s = time.perf_counter()
        size_wh = jpeg_size_wh(message[_TAG_BYTES:])
        if size_wh is None or max(size_wh) > _LONGEST_SIDE_PX:
            self.refused["picture"] += 1
            return
        with self._sending:
            if sender != self._sender and now_s - self._sent_s < self.SILENT_AFTER_S:
                self.refused["second camera"] += 1
                return
            self._sender, self._sent_s = sender, now_s
            self._latest.put((sender, message, now_s))

    def tag(self, sender: int, index: int) -> int | None:
        """The number that this sender gave to the picture of frame ``index``."""
        return next((t for s, t, i in reversed(self._tags) if s == sender and i == index), None)

    def __iter__(self) -> Iterator[Frame]:
        index, dropped, first_s = 0, 0, None
        while (taken := self._latest.take()) is not None:
            (sender, message, captured_s), since = taken
            dropped += since
            image: Any = None
            with suppress(cv2.error):
                data = np.frombuffer(message, np.uint8, offset=_TAG_BYTES)
                image = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if image is None:
                self.refused["picture"] += 1
                continue
            first_s = captured_s if first_s is None else first_s
            frame = Frame(np.asarray(image), captured_s - first_s, index, captured_s, dropped)
            self.size_wh = frame.size_wh
            self._tags.append((sender, int.from_bytes(message[:_TAG_BYTES], "big"), index))
            yield frame
            index, dropped = index + 1, 0

    def close(self) -> None:
        """Lets nobody wait any longer; a second call does nothing."""
        self._latest.close()


def jpeg_size_wh(data: bytes) -> tuple[int, int] | None:
    """Width and height as a JPEG's header says them, before any memory is asked for.

    Source: ITU-T T.81, annex B.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length, height, width = struct.unpack_from(">BHxHH", data, at + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return (width, height) if width and height else None
        at += 2 + length
    return None
