"""What every source offers: frames, what part of them is wanted, which way up."""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeVar

import cv2
import numpy as np

from livepose.errors import UsageError
from livepose.frame import Frame, ImageBgr
from livepose.threads import Closable

Item = TypeVar("Item")
Kind = Literal["camera", "url", "video", "images"]

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
SAME_TIME_S = 5e-4
"""So near are times that only rounding sets apart."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a video file that is wanted; times stay those of the file."""

    start_s: float = 0.0
    end_s: float | None = None
    """The first time that is not wanted any more; None: to the end."""
    step: int = 1
    """One frame of each ``step`` is taken."""

    def __post_init__(self) -> None:
        if self.start_s < 0 or self.step < 1:
            raise UsageError(f"expected a start from 0 s and a step from 1 on, got {self}")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise UsageError(f"end: expected more than {self.start_s:g} s, got {self.end_s:g} s")

    def select(self, timed: Iterable[tuple[Item, float]]) -> Iterator[tuple[int, float, Item]]:
        """New index, time and item of those that it holds; no more are asked for after its end."""
        reached = 0
        for item, time_s in timed:
            if self.end_s is not None and time_s >= self.end_s - SAME_TIME_S:
                return
            if time_s < self.start_s - SAME_TIME_S:
                continue
            if reached % self.step == 0:
                yield reached // self.step, time_s, item
            reached += 1

    def count(self, frames: int, interval_s: float) -> int:
        """How many of ``frames`` frames it holds."""
        end_s = min(frames * interval_s, self.end_s or math.inf)
        return max(0, math.ceil(round((end_s - self.start_s) / interval_s, 3) / self.step))


WHOLE = Excerpt()


class Source(Closable):
    """Frames, one after another. A source is iterated once, and closed by ``with`` or ``close``.

    Attributes
    ----------
    name : str
        What messages call it; a password in an address is masked.
    live : bool
        Whether frames come at their own pace and are lost when nobody takes them.
    size_wh : tuple of int
        Width and height of the newest frame in pixels, after rotation.
    scale_xy : tuple of float
        That size divided by the one in the source's own pixels: more than 1 on one axis where
        those are not square.
    fps : float or None
        Frames a second, from the header for files and measured for live sources.
    frame_count : int or None
        An estimate for files, the number of images for images, None for live sources.
    path : str or None
        Where a video can be read once more, for its sound.
    """

    name: str = ""
    kind: Kind = "video"
    live: bool = False
    size_wh: tuple[int, int] = (0, 0)
    scale_xy: tuple[float, float] = (1.0, 1.0)
    fps: float | None = None
    frame_count: int | None = None
    path: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        raise NotImplementedError

    def peek(self) -> ImageBgr | None:
        """The first image, or the newest of a live source, which stays there to be taken."""

    def wait_for_first(self, limit_s: float | None = None) -> bool:
        """Waits so long for the first frame; False when there is none yet."""
        return True


class FileSource(Source):
    """Frames of a file or of several, turned clockwise by ``rotate`` degrees.

    The first one is read at once; where there is none, ``frames`` raises SourceError.
    """

    def __init__(self, frames: Generator[Frame, None, None], rotate: int = 0) -> None:
        self._frames, self._rotate, self._closed = frames, check_rotation(rotate), False
        self._first = self._take(next(frames))

    def _take(self, frame: Frame) -> Frame:
        frame = turned(frame, self._rotate)
        self.size_wh, self.scale_xy = frame.size_wh, frame.scale_xy
        return frame

    def __iter__(self) -> Iterator[Frame]:
        for frame in chain([self._first], map(self._take, self._frames)):
            if self._closed:
                return
            yield frame

    def peek(self) -> ImageBgr | None:
        """The first image."""
        return self._first.image_bgr

    def close(self) -> None:
        """Ends the iteration; a second call does nothing."""
        self._closed = True
        with suppress(ValueError):  # a thread is reading right now, and sees that it is over
            self._frames.close()


def check_rotation(rotate: int) -> int:
    """``rotate`` itself when it is 0, 90, 180 or 270 degrees, else a UsageError."""
    if rotate not in (0, *_TURNS):
        raise UsageError(f"rotate: expected 0, 90, 180 or 270 degrees, got {rotate}")
    return rotate


def turned(frame: Frame, clockwise_deg: int) -> Frame:
    """The frame turned clockwise by a multiple of 90 degrees; itself for 0."""
    if clockwise_deg == 0:
        return frame
    image_bgr = np.asarray(cv2.rotate(frame.image_bgr, _TURNS[clockwise_deg]))
    scale_xy = frame.scale_xy[::-1] if clockwise_deg % 180 else frame.scale_xy
    return replace(frame, image_bgr=image_bgr, scale_xy=scale_xy)
