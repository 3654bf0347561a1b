"""Clocks: how long each stage of a frame took, and percentiles of it."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class StageClock:
    """Milliseconds of each named stage, frame by frame, over the last ``window`` frames.

    A stage that is entered several times in one frame counts as their sum. One thread measures;
    others may read.
    """

    def __init__(self, window: int = 240) -> None:
        self._window = window
        self._frame_ms: dict[str, float] = {}
        self._samples_ms: dict[str, deque[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block under this name, as part of the current frame."""
        start_s = time.perf_counter()
        try:
            yield
        finally:
            took_ms = (time.perf_counter() - start_s) * 1e3
            self._frame_ms[name] = self._frame_ms.get(name, 0.0) + took_ms

    def frame_ms(self) -> dict[str, float]:
        """Milliseconds of the stages of the current frame so far."""
        return dict(self._frame_ms)

    def end_frame(self) -> None:
        """The current frame is done: its stages become samples."""
        for name, took_ms in self._frame_ms.items():
            self._samples_ms.setdefault(name, deque(maxlen=self._window)).append(took_ms)
        self._frame_ms.clear()

    def names(self) -> list[str]:
        """Stages in the order in which they were first seen."""
        return list(self._samples_ms)

    def samples_ms(self, name: str) -> list[float]:
        """Every sample of one stage over the last frames, oldest first."""
        return list(self._samples_ms.get(name, ()))

    def mean_ms(self, name: str) -> float:
        """Mean of one stage over the last frames; NaN while nothing was measured."""
        samples = self._samples_ms.get(name)
        return float(np.mean(list(samples))) if samples else float("nan")

    def percentiles_ms(self, name: str, *percents: float) -> list[float]:
        """Percentiles of one stage over the last frames; NaN while nothing was measured."""
        samples = self._samples_ms.get(name)
        if not samples:
            return [float("nan")] * len(percents)
        return [float(value) for value in np.percentile(list(samples), percents)]

    def clear(self, window: int | None = None) -> None:
        """Forgets everything, so that warm-up stays out; from here on over ``window`` frames."""
        self._window = self._window if window is None else window
        self._frame_ms.clear()
        self._samples_ms.clear()
