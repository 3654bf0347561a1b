"""A frame: one image with its time; and a clock for what is done with it."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.errors import UsageError

ImageBgr = NDArray[np.uint8]
"""A colour image, (H, W, 3), blue first as OpenCV has it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a source.

    ``time_s`` is the time of the image: capture time (monotonic, from the first frame) for a
    camera, presentation time for a file. 0.0 is a time like any other. ``captured_s`` is
    ``time.perf_counter()`` at capture for live sources, None for files. ``dropped`` counts the
    frames that the source let go since the one before. ``name`` is the file of a still image.

    The pixels of ``image_bgr`` are square. Where those of the source are not (anamorphic video),
    ``scale_xy`` is the size of the image divided by that in the source's own pixels.
    """

    image_bgr: ImageBgr
    time_s: float
    index: int
    captured_s: float | None = None
    dropped: int = 0
    name: str | None = None
    scale_xy: tuple[float, float] = (1.0, 1.0)

    @property
    def unix_s(self) -> float | None:
        """The wall clock's time of the capture; None for files."""
        if self.captured_s is None:
            return None
        return time.time() - (time.perf_counter() - self.captured_s)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image_bgr.shape[:2]
        return width, height


def check_image(image_bgr: ImageBgr) -> None:
    """Refuses whatever is not a colour image of bytes.

    Raises
    ------
    UsageError
        Says what was expected and what came.
    """
    shape, kind = np.shape(image_bgr), getattr(image_bgr, "dtype", type(image_bgr))
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
        raise UsageError(f"image_bgr: expected uint8 of shape (H, W, 3), got {kind} {shape}")


class StageClock:
    """Milliseconds of each named stage, frame by frame, over the last ``window`` frames.

    A stage that is entered several times in one frame counts as their sum. One thread measures;
    others may read.
    """

    def __init__(self, window: int = 240) -> None:
        self._window = window
        self._frame_ms: dict[str, float] = {}
        self._samples_ms: dict[str, deque[float]] = {}

    def stage(self, name: str) -> "Stage":
        """Times a ``with`` block under this name, as part of the current frame."""
        return Stage(self._frame_ms, name)

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Takes a ``with`` block for a frame: its stages become samples."""
        try:
            yield
        finally:
            self.end_frame()

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

    def percentiles_ms(self, name: str, *percents: float) -> list[float]:
        """Percentiles of one stage over the last frames; NaN while nothing was measured."""
        samples = self._samples_ms.get(name)
        if not samples:
            return [float("nan")] * len(percents)
        return [float(value) for value in np.percentile(list(samples), percents)]

    def clear(self) -> None:
        """Forgets everything, so that warm-up stays out."""
        self._frame_ms.clear()
        self._samples_ms.clear()


class Stage:
    """One block of a frame whose milliseconds are added to those under its name.

    Not a generator: getting in and out of one would be a good part of the shortest stages.
    """

    __slots__ = ("_frame_ms", "_name", "_start_s")

    def __init__(self, frame_ms: dict[str, float], name: str) -> None:
        self._frame_ms = frame_ms
        self._name = name

    def __enter__(self) -> None:
        self._start_s = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took_ms = (time.perf_counter() - self._start_s) * 1e3
        self._frame_ms[self._name] = self._frame_ms.get(self._name, 0.0) + took_ms
