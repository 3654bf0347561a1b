"""Live sources: only the newest frame is kept; stalls and cut connections are mended.

Three parties share one ``Slot``: a connection thread opens the device and puts frames in, a
supervisor thread replaces connections that ended or stalled, and the consumer takes the newest
frame. A read that hangs for good therefore costs one abandoned thread and not the program.
"""

import logging
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.sources._connection import Capture, Connection, Opener, Slot
from livepose.sources.protocol import Closing, Kind, check_rotation, turned, turned_size

logger = logging.getLogger(__name__)

_TICK_S = 0.2
_MAX_HUNG = 8
"""So many reads may hang before nothing is opened any more until one returns."""


@dataclass(frozen=True)
class LiveSettings:
    """How patient a live source is, in seconds."""

    open_timeout_s: float = 15.0  # from an attempt to its first frame
    stall_after_s: float = 3.0  # without a frame: the connection counts as stalled
    reconnect_s: float = 20.0  # without a frame: the source counts as lost; inf: never
    wait_at_start: bool = False  # so long for the first frame too
    deferred: bool = False  # opened without waiting: ``wait_for_first`` does
    first_pause_s: float = 0.5  # between attempts to reconnect, doubled each time
    longest_pause_s: float = 5.0


class LiveSource(Closing):
    """A camera or network stream of which only the newest frame counts.

    Parameters
    ----------
    opener : callable
        Opens the device; called again, from another thread, for every reconnection.
    name : str
        What messages call it.
    kind : {"camera", "url"}
    hint : str
        The question that ends the sentence when the source is lost.

    Raises
    ------
    SourceError
        When no first frame arrives in time; while iterating, when the source is lost for good.
    """

    live = True
    frame_count = None

    def __init__(
        self,
        opener: Opener,
        *,
        name: str,
        kind: Kind,
        rotate: int = 0,
        settings: LiveSettings | None = None,
        hint: str = "is it unplugged or used by another program?",
    ) -> None:
        self.name, self.kind = name, kind
        self._opener, self._hint = opener, hint
        self._rotate = check_rotation(rotate)
        self._settings = settings or LiveSettings()
        self._slot = Slot()
        self._announced_wh = (0, 0)
        self._lost_s: float | None = None
        self._hung: list[Connection] = []
        self.reconnects = 0
        self._delivered, self._first_s = 0, 0.0
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()
        if not self._settings.deferred:
            self.wait_for_first()

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the newest frame, after rotation."""
        return turned_size(self._slot.size_wh, self._rotate)

    @property
    def scale_xy(self) -> tuple[float, float]:
        """That size divided by the one in the source's own pixels."""
        scale_xy = self._slot.scale_xy
        return scale_xy[::-1] if self._rotate % 180 else scale_xy

    @property
    def fps(self) -> float | None:
        """Frames a second that the source delivers (dropped ones too); None before the second."""
        with self._slot.changed:
            seconds, frames = self._slot.seconds, self._slot.captured
        return (frames - 1) / seconds if seconds > 0 else None

    @property
    def away(self) -> bool:
        """Whether it sent frames, sends none now, and is waited for."""
        return self._lost_s is not None

    def peek(self) -> ImageBgr | None:
        """The newest picture, upright, which stays there to be taken; None before the first."""
        image_bgr = self._slot.image_bgr
        return None if image_bgr is None else turned(image_bgr, self._rotate)

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._next()) is not None:
            yield frame

    def close(self) -> None:
        """Stops the threads and lets go of the device; a second call does nothing."""
        self._slot.close()
        # A driver that hangs inside a read must not hold up the end of the program.
        self._supervisor.join(timeout=2.0)

    def wait_for_first(self, limit_s: float | None = None) -> bool:
        """Waits until there is a frame; False when there is none after ``limit_s`` or ``close``.

        Raises
        ------
        SourceError
            When there will be none.
        """
        slot = self._slot
        with slot.changed:
            slot.changed.wait_for(lambda: slot.captured or slot.over, limit_s)
        if slot.captured == 0 and slot.failure is not None:
            self.close()
            raise slot.failure
        return slot.captured > 0

    def _next(self) -> Frame | None:
        slot = self._slot
        with slot.changed:
            while slot.image_bgr is None and not slot.over:
                slot.changed.wait(_TICK_S)
            taken = None if slot.closed else slot.take()
            if taken is None and slot.failure is not None and not slot.closed:
                raise slot.failure
        return None if taken is None else self._frame(*taken)

    def _frame(self, image_bgr: ImageBgr, captured_s: float, dropped: int) -> Frame:
        if self._delivered == 0:
            self._first_s = captured_s
        index = self._delivered
        self._delivered += 1
        upright_bgr, time_s = turned(image_bgr, self._rotate), captured_s - self._first_s
        return Frame(upright_bgr, time_s, index, captured_s, dropped, scale_xy=self.scale_xy)

    def _supervise(self) -> None:
        pause_s = self._settings.first_pause_s
        while not self._slot.over:
            before = self._slot.captured
            reason, opened = self._run_connection()
            waits = self._slot.captured or self._settings.wait_at_start
            if not waits and not self._slot.closed:
                self._slot.fail(SourceError(self._silent_sentence() if opened else reason))
            if self._slot.over:
                return
            if self._slot.captured > before:
                pause_s = self._settings.first_pause_s
            self._retry_later(reason, pause_s)
            pause_s = min(2 * pause_s, self._settings.longest_pause_s)

    def _run_connection(self) -> tuple[str, bool]:
        """Runs one connection until it ends or stalls: why it is over, and if it had opened."""
        self._hung = [thread for thread in self._hung if thread.is_alive()]
        if len(self._hung) >= _MAX_HUNG:
            return "the driver hangs", True
        connection = Connection(self._opener, self._slot, self._arrived)
        before, started_s = self._slot.captured, time.perf_counter()
        connection.start()
        settings = self._settings
        while connection.is_alive() and not self._slot.over:
            connection.join(min(_TICK_S, settings.stall_after_s / 4))
            opening = self._slot.captured == before
            patience_s = settings.open_timeout_s if opening else settings.stall_after_s
            silent_s = time.perf_counter() - max(self._slot.last_s, started_s)
            if silent_s > patience_s and connection.is_alive():
                connection.abandoned.set()
                self._hung.append(connection)
                return f"no frame for {silent_s:.1f} s", True
        connection.abandoned.set()
        connection.join(timeout=1.0)
        return connection.reason, connection.opened

    def _arrived(self, capture: Capture, first: bool) -> None:
        """Says what is delivered, and what changed."""
        if first and self._lost_s is not None:
            self.reconnects += 1
            away_s = time.perf_counter() - self._lost_s
            came = "is back" if self._announced_wh != (0, 0) else "is here"
            logger.info(f"{self.name} {came} after {away_s:.1f} s")
            self._lost_s = None
        elif first and capture.mode:
            logger.info(f"{self.name}: {capture.mode}")
        now_wh, before_wh = self._slot.size_wh, self._announced_wh
        if before_wh not in (now_wh, (0, 0)):
            logger.info(
                f"{self.name} now sends frames of {now_wh[0]}x{now_wh[1]}, "
                f"before {before_wh[0]}x{before_wh[1]}"
            )
        self._announced_wh = now_wh

    def _retry_later(self, reason: str, pause_s: float) -> None:
        """Gives up when it is time to; else says that frames are missing, and waits a while."""
        silent_s = time.perf_counter() - self._slot.last_s
        left_s = self._settings.reconnect_s - silent_s
        if left_s <= 0:
            self._slot.fail(SourceError(self._lost_sentence()))
            return
        if self._lost_s is None:
            self._lost_s = self._slot.last_s
            why = f" ({reason})" if reason else ""
            until = "until it is back" if left_s == math.inf else f"for {left_s:.0f} s"
            logger.warning(f"{self.name} sends no frames{why}; reconnecting {until}")
        with self._slot.changed:
            self._slot.changed.wait_for(lambda: self._slot.closed, timeout=min(pause_s, left_s))

    def _silent_sentence(self, limit_s: float | None = None) -> str:
        limit_s = limit_s or self._settings.open_timeout_s
        return f"{self.name} sent no frame within {limit_s:g} s; {self._hint}"

    def _lost_sentence(self) -> str:
        frames, seconds = self._slot.captured, self._slot.seconds
        if frames == 0:
            return self._silent_sentence(self._settings.reconnect_s)
        return (
            f"{self.name} stopped sending frames after {frames} frames ({seconds:.1f} s); "
            f"{self._hint}"
        )
