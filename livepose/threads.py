"""Threads with bounded queues, so that decoding and encoding run beside inference.

Order is kept, memory is bounded, and an error in a thread is raised where its result is used.
"""

import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from typing import Generic, NamedTuple, Self, TypeVar

from livepose.errors import UsageError

Item = TypeVar("Item")
BACKGROUND_NICENESS = 10
_TICK_S = 0.1
"""Waiting without end cannot be interrupted everywhere."""


class Closable:
    """Gives a class with ``close`` the ``with`` statement."""

    def close(self) -> None:
        """Lets go of everything; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def give_way() -> None:
    """Have this thread, and those that it starts, take what inference leaves of the processor.

    So a frame is not late at the window because the one before is still being encoded. Only Linux
    has priorities for single threads.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)


class OneAtATime:
    """A lock on what several threads may ask for in turn, in the process that opened it only."""

    def __init__(self, what: str) -> None:
        self._what, self._lock, self._process = what, threading.RLock(), os.getpid()

    def __enter__(self) -> None:
        self.require_same_process()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def require_same_process(self) -> None:
        """Raises UsageError after a fork: the threads of the networks stayed behind."""
        if os.getpid() != self._process:
            raise UsageError(
                f"{self._what} was opened before this process was forked, and its networks do not "
                "outlive that; open it in the process that uses it, or start that by 'spawn'"
            )


class _End(NamedTuple):
    """The last thing in a queue; carries the error that ended it, if any."""

    error: BaseException | None


def prefetch(
    items: Iterable[Item], depth: int, goes_on: Callable[[], bool] = lambda: True
) -> Generator[Item, None, None]:
    """The same items, taken by a thread that may run up to ``depth`` of them ahead.

    While none is ready, ``goes_on`` is asked from time to time; no more come once it says no.
    Where ``items`` is a generator, its thread closes it when nobody listens any more.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: Item | _End) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=_TICK_S)
                return

    def fill() -> None:
        error = None
        try:
            with closing(items) if isinstance(items, Generator) else nullcontext():
                for item in items:
                    put(item)
                    if stopped.is_set():
                        break
        except BaseException as caught:  # raised again where the items are used
            error = caught
        put(_End(error))

    # A daemon: a source that hangs must not hold up the end of the program.
    thread = threading.Thread(target=fill, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = ready.get(timeout=_TICK_S)
            except queue.Empty:
                if goes_on():
                    continue
                return
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        stopped.set()
        thread.join(timeout=5.0)


class BackgroundWriter(Generic[Item]):
    """Hands items to ``work`` in a thread of its own, in order, at most ``depth`` waiting.

    An error of ``work`` is raised by a later ``put`` or by ``close``, and ends the work.
    """

    def __init__(self, work: Callable[[Item], None], depth: int) -> None:
        self._work, self._depth = work, depth
        self._pool = ThreadPoolExecutor(1, "writer", initializer=give_way)
        self._given: deque[Future[None]] = deque()

    def put(self, item: Item) -> None:
        """Waits while ``depth`` items are waiting, then adds this one."""
        self._await(self._depth)
        self._given.append(self._pool.submit(self._work, item))

    def close(self) -> None:
        """Waits until everything is done."""
        try:
            self._await(0)
        finally:
            self._pool.shutdown()

    def _await(self, most: int) -> None:
        """Waits until no more than so many are left."""
        try:
            while len(self._given) > most or (self._given and self._given[0].done()):
                self._given[0].result()
                self._given.popleft()
        except Exception:
            self._given.clear()
            self._pool.shutdown(cancel_futures=True)
            raise


class Latest(Generic[Item]):
    """Keeps one item, the newest, for a thread that takes it when it is ready.

    ``changed`` guards everything here and is notified of every change; ``item`` waits to be taken,
    ``dropped`` made room for it, ``failure`` is raised by ``take`` once nothing waits any more.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.item: Item | None = None
        self.dropped = 0
        self.closed = False
        self.failure: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more is wanted."""
        return self.closed or self.failure is not None

    def put(self, item: Item) -> None:
        """Replaces the item that waits."""
        with self.changed:
            self.dropped += self.item is not None
            self.item = item
            self.changed.notify_all()

    def take(self) -> tuple[Item, int] | None:
        """Waits for an item, and gives it with the count of those dropped; None once closed."""
        with self.changed:
            while self.item is None and not self.over:
                self.changed.wait(_TICK_S)
            if self.closed:
                return None
            if self.item is None:
                raise self.failure or RuntimeError
            taken, dropped = self.item, self.dropped
            self.item, self.dropped = None, 0
            return taken, dropped

    def fail(self, failure: Exception) -> None:
        """Has ``take`` raise this, once the item that waits was taken."""
        with self.changed:
            self.failure = failure
            self.changed.notify_all()

    def close(self) -> None:
        """Ends it at once; a second call does nothing."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
