"""Calls that wait in several threads at the same time, done together."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

PATIENCE_S = 0.002
"""So long the first of a batch waits for the others."""


class Clients:
    """How many threads may ask; a batch is complete when all of them wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def __enter__(self) -> "Clients":
        with self._lock:
            self.count += 1
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.count -= 1


class _Call(Generic[Asked, Answer]):
    """One thread's question, and what became of it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.answer: Answer
        self.error: BaseException | None = None
        self.done = threading.Event()


class DynamicBatching(Generic[Asked, Answer]):
    """Makes batches of what several threads ask at the same time.

    Whoever comes first waits until everybody asks, but no longer than ``patience_s``; it then
    does the work for all who are there, in the order in which they came.

    ``work`` takes a batch of questions and gives as many answers; an error of it is raised in every
    thread that waits. ``clients`` may ask. ``lock`` is held while working: those that share a
    device share it. ``patience_s`` None is ``PATIENCE_S``.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Asked]], Sequence[Answer]],
        clients: Clients,
        lock: threading.Lock,
        patience_s: float | None = None,
    ) -> None:
        self._work, self._clients, self._lock = work, clients, lock
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._changed = threading.Condition()
        self._waiting: list[_Call[Asked, Answer]] = []

    def __call__(self, asked: Asked) -> Answer:
        """The answer; waits for it."""
        call: _Call[Asked, Answer] = _Call(asked)
        with self._changed:
            self._waiting.append(call)
            leads = len(self._waiting) == 1
            self._changed.notify_all()
        if leads:
            self._lead()
        call.done.wait()
        if call.error is not None:
            raise call.error
        return call.answer

    def _lead(self) -> None:
        """Waits for the others, and for the lock; who came meanwhile is taken along."""
        until_s = time.perf_counter() + self._patience_s
        with self._changed:
            while len(self._waiting) < self._clients.count:
                left_s = until_s - time.perf_counter()
                if left_s <= 0 or not self._changed.wait(left_s):
                    break
        with self._lock:
            with self._changed:
                calls, self._waiting = self._waiting, []
            self._answer(calls)

    def _answer(self, calls: "Sequence[_Call[Asked, Answer]]") -> None:
        try:
            answers = self._work([call.asked for call in calls])
            for call, answer in zip(calls, answers, strict=True):
                call.answer = answer
        except BaseException as error:  # raised again by every thread that waits
            for call in calls:
                call.error = error
        finally:
            for call in calls:
                call.done.set()
