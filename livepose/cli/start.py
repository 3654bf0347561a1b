"""The first seconds: the source and the window come first, the networks get ready beside them."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Generic, TypeVar

import cv2
import numpy as np

from livepose.cli.opening import open_chosen, open_window
from livepose.cli.run_options import RunOptions
from livepose.frame import ImageBgr
from livepose.sources import ImageSource, Source, VideoSource
from livepose.window import Command, Window

if TYPE_CHECKING:
    from livepose.pipeline import PosePipeline

Result = TypeVar("Result")
PARTS = {"libraries": 25, "detector": 20, "pose network": 25, "first picture": 30}
"""What gets ready, in its usual order, and about how many percent of the time each takes."""
SHOW_EVERY_S = 0.03
LATE_S = 8.0
"""Whoever waits longer than this is told why."""


def start(options: RunOptions) -> None:
    """Plays the chosen source; where there is a window, it is there before the networks are."""
    ((kind, value),) = options.sources.chosen()
    # The source first: a wrong path is said at once, not after the networks were loaded.
    source = open_chosen(kind, value, options.sources)
    try:
        window = open_window(options, source)
        if window is None:
            from livepose.cli.play import open_ready, play

            play(options, source, open_ready(options, source), None)
            return
        ready = GettingReady(lambda told: _load(options, source, told))
        if show_until(ready, window, preview(source, options)):
            from livepose.cli.play import play

            play(options, source, ready.result(), window)
    finally:
        source.close()


def _load(options: RunOptions, source: Source, told: Callable[[str], None]) -> "PosePipeline":
    from livepose.cli.play import open_ready

    told("libraries")
    return open_ready(options, source, told)


class GettingReady(Generic[Result]):
    """Work in a thread of its own, and how far it is.

    What libraries do cannot be broken off: when the program is to end before the work is done, its
    process ends without waiting for it (``surroundings.end``).
    """

    def __init__(self, work: Callable[[Callable[[str], None]], Result]) -> None:
        self._work = work
        self._missing = dict(PARTS)
        self._started_s = time.perf_counter()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="getting ready", daemon=True)
        self._thread.start()

    def done(self, part: str) -> None:
        """One of ``PARTS`` is ready."""
        self._missing.pop(part, None)

    @property
    def line(self) -> str:
        """``getting ready: detector 25 %``."""
        missing = dict(self._missing)
        share = sum(PARTS.values()) - sum(missing.values())
        late = time.perf_counter() - self._started_s > LATE_S
        why = " (a first start compiles, for up to a minute)" if late else ""
        return f"getting ready: {next(iter(missing), 'first picture')} {share} %{why}"

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; whether the work is over."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> Result:
        """What the work returned; its error is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._result is not None  # noqa: S101 - without an error there is one
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._work(self.done)
        except BaseException as error:  # raised again where the result is taken
            self._error = error


def show_until(
    ready: "GettingReady[Result]", window: Window, images_bgr: Iterator[ImageBgr]
) -> bool:
    """Shows pictures with the line until all is ready; False when the user closed the window."""
    over = False
    try:
        while not over:
            window.show(with_line(next(images_bgr), ready.line))
            if Command.QUIT in window.poll():
                return False
            over = ready.wait(SHOW_EVERY_S)
        return True
    finally:
        if not over:
            window.close()


def preview(source: Source, options: RunOptions) -> Iterator[ImageBgr]:
    """Pictures of the source that are not taken from it: live ones, or the first of a file."""
    for image_bgr in _taken_from_nobody(source, options):
        if options.window.skeleton_only:
            image_bgr = np.zeros_like(image_bgr)
        yield image_bgr[:, ::-1] if options.window.mirror else image_bgr


def _taken_from_nobody(source: Source, options: RunOptions) -> Iterator[ImageBgr]:
    width, height = source.size_wh
    blank_bgr = np.zeros((height or 480, width or 640, 3), np.uint8)
    if source.live and hasattr(source, "peek"):
        while True:
            newest_bgr = source.peek()
            blank_bgr = blank_bgr if newest_bgr is None else newest_bgr
            yield blank_bgr
    yield from repeat(first_picture(source, options, blank_bgr))


def first_picture(source: Source, options: RunOptions, otherwise: ImageBgr) -> ImageBgr:
    """The first picture of a file, which is opened once more for it."""
    of_file = isinstance(source, VideoSource) and source.path is not None
    if not (of_file or isinstance(source, ImageSource)):
        return otherwise
    ((kind, value),) = options.sources.chosen()
    with open_chosen(kind, value, options.sources) as again:
        return next(chain((frame.image_bgr for frame in again), [otherwise]))


def with_line(image_bgr: ImageBgr, line: str) -> ImageBgr:
    """A copy of the picture with a line of text in its lower left corner."""
    drawn_bgr = np.ascontiguousarray(image_bgr).copy()
    height = drawn_bgr.shape[0]
    scale = max(0.4, height / 900)
    (width, text_height), below = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    margin = text_height
    corner = (0, height - text_height - below - 2 * margin)
    cv2.rectangle(drawn_bgr, corner, (width + 2 * margin, height), (0, 0, 0), cv2.FILLED)
    place = (margin, height - below - margin)
    cv2.putText(
        drawn_bgr, line, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA
    )
    return drawn_bgr
