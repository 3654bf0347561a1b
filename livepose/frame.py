"""A frame: one image with its time; and a clock for what is done with it."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


class StageClock:
    """Milliseconds of each named stage, frame by frame.

    A stage that is entered several times in one frame counts as their sum. One thread measures;
    others may read.

    Attributes
    ----------
    frame_ms : dict
        The stages of the current frame so far.
    frames_ms : deque
        Those of the last 240 frames, oldest first.
    """

    def __init__(self) -> None:
        self.frame_ms: dict[str, float] = {}
        self.frames_ms: deque[dict[str, float]] = deque(maxlen=240)

    def stage(self, name: str) -> "Stage":
        """Times a ``with`` block under this name, as part of the current frame."""
        return Stage(self.frame_ms, name)

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Takes a ``with`` block for a frame."""
        try:
            yield
        finally:
            self.frames_ms.append(self.frame_ms)
            self.frame_ms = {}

    def median_ms(self, name: str) -> float:
        """Median of one stage over the last frames that had it; NaN without any."""
        samples_ms = [one[name] for one in list(self.frames_ms) if name in one]
        return float(np.median(samples_ms or np.nan))

    def clear(self) -> None:
        """Forgets everything, so that warm-up stays out."""
        self.frame_ms.clear()
        self.frames_ms.clear()


class Stage:
    """One block of a frame whose milliseconds are added to those under its name.

    Not a generator: getting in and out of one would be a good part of the shortest stages.
    """

    __slots__ = ("_frame_ms", "_name", "_start_s")

    def __init__(self, frame_ms: dict[str, float], name: str) -> None:
        self._frame_ms, self._name = frame_ms, name

    def __enter__(self) -> None:
        self._start_s = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took_ms = (time.perf_counter() - self._start_s) * 1e3
        self._frame_ms[self._name] = self._frame_ms.get(self._name, 0.0) + took_ms
