"""Which person comes when, and batches that are prepared in the background, in order.

Both are pure functions of the seed and the position in the training: they are the same whatever
the number of threads, and a resumed training sees what an uninterrupted one would have.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

EPOCHS_REMEMBERED = 4
PREFETCHED = 3
_STREAM = 0x0E90C4


class PersonSampler:
    """The order of people for a seed.

    Every epoch is N draws. A person with weight w is drawn floor(w') or ceil(w') times in it, where
    w' is its share of N (systematic resampling), and the epoch is shuffled, so that all are seen
    equally often, and position 1,000,000 can be asked for without the 999,999 before it.
    """

    def __init__(self, draw_weights: NDArray[np.float64], seed: int) -> None:
        self._cumulative = np.cumsum(draw_weights / draw_weights.sum() * len(draw_weights))
        self._seed, self._count = seed, len(draw_weights)
        self._epoch = lru_cache(EPOCHS_REMEMBERED)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.Generator(np.random.Philox([self._seed, _STREAM + epoch]))
        points = np.arange(self._count) + rng.random()
        drawn = np.searchsorted(self._cumulative, points, side="right")
        return rng.permutation(np.minimum(drawn, self._count - 1))

    def people(self, start: int, count: int) -> NDArray[np.int64]:
        """Indices of the people at positions ``start`` to ``start + count - 1``, (count,)."""
        places = (divmod(position, self._count) for position in range(start, start + count))
        return np.array([self._epoch(epoch)[place] for epoch, place in places], dtype=np.int64)


class Prefetcher:
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
