"""Threads with bounded queues, so that decoding and encoding run beside inference.

Order is kept, memory is bounded, and an error in a thread is raised where its result is used.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, nullcontext, suppress
from typing import Generic, TypeVar

from livepose.errors import LiveposeError, UsageError

Item = TypeVar("Item")
BACKGROUND_NICENESS = 10
ASK_EVERY_S = 0.1
"""While nothing is ready."""


def give_way() -> None:
    """Have this thread, and those that it starts, take what inference leaves of the processor.

    So a frame is not late at the window because the one before is still being encoded. Only Linux
    has priorities for single threads.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)


class _End:
    """The last thing in a queue; carries the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class OneAtATime:
    """A lock on what several threads may ask for in turn, in the process that opened it only."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.RLock()
        self._process = os.getpid()

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


def prefetch(
    items: Iterable[Item], depth: int, goes_on: Callable[[], bool] = lambda: True
) -> Generator[Item, None, None]:
    """The same items, taken by a thread that may run up to ``depth`` of them ahead.

    While none is ready, ``goes_on`` is asked from time to time; no more come once it says no.
    Where ``items`` is a generator, its thread closes it when nobody listens any more.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    thread = threading.Thread(
        target=_fill, args=(items, ready, stopped), name="prefetch", daemon=True
    )
    thread.start()
    try:
        while not isinstance(item := _get(ready, goes_on), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join(timeout=5.0)


def _get(ready: "queue.Queue[Item | _End]", goes_on: Callable[[], bool]) -> "Item | _End":
    """Waits for the next item, and ends that when it does not go on."""
    while True:
        with suppress(queue.Empty):
            return ready.get(timeout=ASK_EVERY_S)
        if not goes_on():
            return _End()


def _fill(
    items: Iterable[Item], ready: "queue.Queue[Item | _End]", stopped: threading.Event
) -> None:
    end = _End()
    try:
        with closing(items) if isinstance(items, Generator) else nullcontext():
            for item in items:
                if not _put(ready, item, stopped):
                    return
    except BaseException as error:  # raised again where the items are used
        end = _End(error)
    _put(ready, end, stopped)


def _put(ready: "queue.Queue[Item | _End]", item: "Item | _End", stopped: threading.Event) -> bool:
    """Waits for room, but not for longer than anybody listens."""
    while not stopped.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def batches(items: Iterable[Item], size: int) -> Generator[list[Item], None, None]:
    """The same items in lists of ``size``; those before the end, or an error, in a shorter one."""
    batch: list[Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except LiveposeError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


class BackgroundWriter(Generic[Item]):
    """Hands items to ``work`` in a thread of its own, in order, at most ``depth`` waiting.

    An error of ``work`` is raised by the next ``put`` or by ``close``.
    """

    def __init__(self, work: Callable[[Item], None], depth: int) -> None:
        self._work = work
        self._waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Waits while ``depth`` items are waiting, then adds this one."""
        _put(self._waiting, item, self._stopped)
        self._raise_error()

    def close(self) -> None:
        """Waits until everything is done."""
        _put(self._waiting, _End(), self._stopped)
        self._thread.join()
        self._raise_error()

    def _run(self) -> None:
        give_way()
        try:
            while not isinstance(item := self._waiting.get(), _End):
                self._work(item)
        except BaseException as error:  # raised again by put or close
            self._error = error
        finally:
            self._stopped.set()

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class Latest(Generic[Item]):
    """Keeps one item, the newest, for a thread that takes it when it is ready.

    Attributes
    ----------
    changed : threading.Condition
        Guards everything here, and is notified of every change.
    item : Item or None
        What waits to be taken.
    dropped : int
        Items that made room for it.
    failure : Exception or None
        What ``take`` raises once nothing waits any more.
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
                self.changed.wait(
                    ASK_EVERY_S
                )  # a wait without end cannot be interrupted everywhere
            taken, dropped = self.item, self.dropped
            if self.closed:
                return None
            if taken is None:
                assert self.failure is not None  # noqa: S101 - nothing else ends the wait
                raise self.failure
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
