"""Clocks: how long each stage took, and percentiles of it."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class StageClock:
    """Milliseconds of each named stage, over the last ``window`` frames."""

    def __init__(self, window: int = 240) -> None:
        self._window = window
        self._samples_ms: dict[str, deque[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block under this name."""
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - start_s) * 1e3)

    def add(self, name: str, took_ms: float) -> None:
        """Notes one measurement that was taken elsewhere."""
        self._samples_ms.setdefault(name, deque(maxlen=self._window)).append(took_ms)

    def names(self) -> list[str]:
        """Stages in the order in which they were first seen."""
        return list(self._samples_ms)

    def percentiles_ms(self, name: str, *percents: float) -> list[float]:
        """Percentiles of one stage; NaN while nothing was measured."""
        samples = self._samples_ms.get(name)
        if not samples:
            return [float("nan")] * len(percents)
        return [float(value) for value in np.percentile(samples, percents)]

    def clear(self) -> None:
        """Forgets everything, so that warm-up stays out of the figures."""
        self._samples_ms.clear()
