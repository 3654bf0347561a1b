"""One connection to a live source: a thread that puts frames into a slot for the newest one."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from livepose.errors import SourceError
from livepose.frame import ImageBgr


class CaptureLost(Exception):  # noqa: N818 - an event, handled inside this room
    """The device or connection ended; the message says how."""


class Capture(Protocol):
    """An open device or connection."""

    mode: str
    """What is delivered, in words; empty when there is nothing to say."""
    scale_xy: tuple[float, float]
    """Size of the pictures divided by that in the source's own pixels."""

    def read(self) -> tuple[ImageBgr, float]:
        """Waits for a frame: picture and ``perf_counter()`` at capture. Raises CaptureLost."""

    def close(self) -> None:
        """Lets go of it."""


Opener = Callable[[], Capture]
"""Opens the device or connection; raises SourceError when that fails."""


class Slot:
    """The newest frame, and the counters that belong to it. Guarded by ``changed``."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.image_bgr: ImageBgr | None = None
        self.captured_s = 0.0
        self.waiting_drops = 0
        self.captured = 0
        self.first_s: float | None = None
        self.last_s = time.perf_counter()
        self.size_wh = (0, 0)
        self.scale_xy = (1.0, 1.0)
        self.failure: SourceError | None = None
        self.closed = False

    def put(self, image_bgr: ImageBgr, captured_s: float) -> None:
        """Replaces the frame that waits; one that nobody took counts as dropped."""
        with self.changed:
            self.waiting_drops += self.image_bgr is not None
            self.image_bgr, self.captured_s = image_bgr, captured_s
            self.size_wh = (image_bgr.shape[1], image_bgr.shape[0])
            self.captured += 1
            self.last_s = time.perf_counter()
            self.first_s = captured_s if self.first_s is None else self.first_s
            self.changed.notify_all()

    def take(self) -> tuple[ImageBgr, float, int] | None:
        """Picture, capture time and drops since the one before; None when none waits."""
        if self.image_bgr is None:
            return None
        taken = self.image_bgr, self.captured_s, self.waiting_drops
        self.image_bgr, self.waiting_drops = None, 0
        return taken

    def fail(self, failure: SourceError) -> None:
        """Ends the source with this error, once the frame that waits was taken."""
        with self.changed:
            self.failure = failure
            self.changed.notify_all()

    def close(self) -> None:
        """Ends the source at once."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    @property
    def over(self) -> bool:
        """Whether no more frames are wanted."""
        return self.closed or self.failure is not None

    @property
    def seconds(self) -> float:
        """From the first frame to the newest."""
        return 0.0 if self.first_s is None else self.captured_s - self.first_s


class Connection(threading.Thread):
    """Opens the source once, and puts its frames into the slot until it ends or is abandoned.

    ``arrived(capture, first)`` is called after every frame.
    """

    def __init__(
        self, opener: Opener, slot: Slot, arrived: Callable[[Capture, bool], None]
    ) -> None:
        super().__init__(name="livepose-capture", daemon=True)
        self._opener, self._slot, self._arrived = opener, slot, arrived
        self.abandoned = threading.Event()
        self.opened = False
        self.reason = ""

    def run(self) -> None:
        """The thread's work: open, read, close."""
        try:
            capture = self._opener()
        except SourceError as error:
            self.reason = str(error)
            return
        self.opened = True
        try:
            self._read(capture)
        except CaptureLost as lost:
            self.reason = str(lost)
        finally:
            capture.close()

    def _read(self, capture: Capture) -> None:
        first = True
        while not self.abandoned.is_set():
            image_bgr, captured_s = capture.read()
            if self.abandoned.is_set():
                return
            self._slot.scale_xy = capture.scale_xy
            self._slot.put(image_bgr, captured_s)
            self._arrived(capture, first)
            first = False
