"""Batches, prepared in background threads, in order.

A batch is a pure function of its step, so it is the same whatever the number of threads, and a
resumed training sees what an uninterrupted one would have.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

PREFETCHED = 3


class Loader:
    """What ``prepare`` makes of each step from ``start`` on."""

    def __init__(self, prepare: Callable[[int], Any], start: int, workers: int) -> None:
        self._prepare, self._next = prepare, start
        self._ahead = PREFETCHED + workers - 1
        self._waiting: deque[Future[Any]] = deque()
        self.waited_s = 0.0
        # One thread each: a second team of OpenMP would take the network's cores.
        self._pool = ThreadPoolExecutor(workers, "batches", torch.set_num_threads, (1,))

    def _submit(self) -> None:
        while len(self._waiting) < self._ahead:
            self._waiting.append(self._pool.submit(self._prepare, self._next))
            self._next += 1

    def take(self) -> Any:
        """The next one; the time spent waiting for it is added to ``waited_s``."""
        start = time.perf_counter()
        self._submit()
        prepared = self._waiting.popleft().result()
        self._submit()
        self.waited_s += time.perf_counter() - start
        return prepared

    def close(self) -> None:
        """Stop preparing."""
        self._pool.shutdown(wait=True, cancel_futures=True)
