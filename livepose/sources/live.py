"""Live sources: only the newest frame is kept; stalls and cut connections are repaired.

A connection thread opens the device and reads frames, a supervisor thread replaces connections
that ended or stalled, and the consumer takes the newest frame. A read that hangs for good
therefore costs one abandoned thread and not the program.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass, replace

from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.sources.frames import reason_of
from livepose.sources.source import Kind, Source, check_rotation, turned
from livepose.threads import Latest

logger = logging.getLogger(__name__)

_TICK_S = 0.2
_MAX_HUNG = 8
"""Reads that may hang; with that many nothing more is opened."""

Capture = Callable[[], Generator[Frame, None, None]]
"""Opens a device or connection, and gives its frames; ``time_s`` is ``captured_s`` in them.

Raises SourceError when it does not open; OSError, or one of FFmpeg's, says how it ended.
"""


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


class LiveSource(Source):
    """A camera or network stream of which only the newest frame counts.

    Parameters
    ----------
    capture : callable
        Opens the device; called again, from another thread, for every reconnection.
    hint : str
        The question that ends the sentence when the source is lost.

    Attributes
    ----------
    reconnects : int
        How often it came back.

    Raises
    ------
    SourceError
        When no first frame arrives in time; while iterating, when the source is lost for good.
    """

    live = True

    def __init__(
        self,
        capture: Capture,
        *,
        name: str,
        kind: Kind,
        rotate: int = 0,
        settings: LiveSettings | None = None,
        hint: str = "is it unplugged or used by another program?",
    ) -> None:
        self.name, self.kind, self.reconnects = name, kind, 0
        self._capture, self._hint = capture, hint
        self._rotate, self._settings = check_rotation(rotate), settings or LiveSettings()
        self._latest: Latest[Frame] = Latest()
        self._captured, self._first_s, self._last_s = 0, 0.0, time.perf_counter()
        self._lost_s: float | None = None
        self._hung: list[Future[Exception]] = []
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()
        if not self._settings.deferred:
            self.wait_for_first()

    @property
    def away(self) -> bool:
        """Whether it sent frames, sends none now, and is waited for."""
        return self._lost_s is not None

    def peek(self) -> ImageBgr | None:
        """The newest image, upright, which stays there to be taken; None before the first."""
        waiting = self._latest.item
        return None if waiting is None else waiting.image_bgr

    def __iter__(self) -> Iterator[Frame]:
        index, first_s = 0, 0.0
        while (taken := self._latest.take()) is not None:
            frame, dropped = taken
            first_s = frame.time_s if index == 0 else first_s
            yield replace(frame, time_s=frame.time_s - first_s, index=index, dropped=dropped)
            index += 1

    def close(self) -> None:
        """Stops the threads and lets go of the device; a second call does nothing."""
        self._latest.close()
        # A driver that hangs inside a read must not hold up the end of the program.
        self._supervisor.join(timeout=2.0)

    def wait_for_first(self, limit_s: float | None = None) -> bool:
        """Waits until there is a frame; False when there is none after ``limit_s`` or ``close``.

        Raises
        ------
        SourceError
            When there will be none.
        """
        latest = self._latest
        with latest.changed:
            latest.changed.wait_for(lambda: self._captured or latest.over, limit_s)
        if self._captured == 0 and latest.failure is not None:
            self.close()
            raise latest.failure
        return self._captured > 0

    def _supervise(self) -> None:
        settings, latest = self._settings, self._latest
        pause_s = settings.first_pause_s
        while not latest.over:
            before = self._captured
            ended = self._run_connection()
            if not (self._captured or settings.wait_at_start or latest.closed):
                is_told = isinstance(ended, SourceError)
                latest.fail(ended if is_told else self._lost(settings.open_timeout_s))
            if latest.over:
                return
            if self._captured > before:
                pause_s = settings.first_pause_s
            self._retry_later(reason_of(ended), pause_s)
            pause_s = min(2 * pause_s, settings.longest_pause_s)

    def _run_connection(self) -> Exception:
        """Runs one connection until it ends or stalls; why it is over."""
        self._hung = [one for one in self._hung if not one.done()]
        if len(self._hung) >= _MAX_HUNG:
            return TimeoutError("the driver hangs")
        ended, abandoned = Future[Exception](), threading.Event()
        before, started_s, settings = self._captured, time.perf_counter(), self._settings
        threading.Thread(
            target=self._connect, args=(ended, abandoned), name="livepose-capture", daemon=True
        ).start()
        while not ended.done() and not self._latest.over:
            wait([ended], min(_TICK_S, settings.stall_after_s / 4))
            opening = self._captured == before
            patience_s = settings.open_timeout_s if opening else settings.stall_after_s
            silent_s = time.perf_counter() - max(self._last_s, started_s)
            if silent_s > patience_s and not ended.done():
                abandoned.set()
                self._hung.append(ended)
                return TimeoutError(f"no frame for {silent_s:.1f} s")
        abandoned.set()
        wait([ended], 1.0)
        return ended.result() if ended.done() else TimeoutError("the driver hangs")

    def _connect(self, ended: "Future[Exception]", abandoned: threading.Event) -> None:
        """Opens the source once, and takes its frames until it ends or is abandoned."""
        try:
            with closing(self._capture()) as frames:
                for frame in frames:
                    if abandoned.is_set():
                        break
                    self._arrived(frame)
            ended.set_result(EOFError("the connection was closed"))
        except Exception as error:  # whatever a driver raises ends this connection alone
            ended.set_result(error)

    def _arrived(self, frame: Frame) -> None:
        """Puts a frame where it can be taken; says that it is back, and what changed."""
        frame, before_wh = turned(frame, self._rotate), self.size_wh
        with self._latest.changed:
            self.size_wh, self.scale_xy = frame.size_wh, frame.scale_xy
            self._first_s = self._first_s if self._captured else frame.time_s
            self._captured, self._last_s = self._captured + 1, time.perf_counter()
            seconds = frame.time_s - self._first_s
            self.fps = (self._captured - 1) / seconds if seconds > 0 else None
            self._latest.put(frame)
        if self._lost_s is not None:
            self.reconnects += 1
            away_s = time.perf_counter() - self._lost_s
            came = "is here" if before_wh == (0, 0) else "is back"
            logger.info(f"{self.name} {came} after {away_s:.1f} s")
            self._lost_s = None
        if before_wh not in (self.size_wh, (0, 0)):
            now, before = ("{}x{}".format(*wh) for wh in (self.size_wh, before_wh))
            logger.info(f"{self.name} now sends frames of {now}, before {before}")

    def _retry_later(self, reason: str, pause_s: float) -> None:
        """Gives up when it is time to; else says that frames are missing, and waits a while."""
        left_s = self._settings.reconnect_s - (time.perf_counter() - self._last_s)
        if left_s <= 0:
            self._latest.fail(self._lost(self._settings.reconnect_s))
            return
        if self._lost_s is None:
            self._lost_s = self._last_s
            until = "until it is back" if left_s == math.inf else f"for {left_s:.0f} s"
            logger.warning(f"{self.name} sends no frames ({reason}); reconnecting {until}")
        with self._latest.changed:
            self._latest.changed.wait_for(lambda: self._latest.closed, min(pause_s, left_s))

    def _lost(self, limit_s: float) -> SourceError:
        """The error of a source that sent nothing for so long."""
        seconds = self._last_s - self._first_s
        silent = f"sent no frame within {limit_s:g} s"
        stopped = f"stopped sending frames after {self._captured} frames ({seconds:.1f} s)"
        return SourceError(f"{self.name} {stopped if self._captured else silent}; {self._hint}")
