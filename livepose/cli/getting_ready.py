"""The time before the first skeleton: a line says how far it is, over pictures of the source."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from livepose.frame import ImageBgr
from livepose.sources import ImageSource, LiveSource, Source, VideoSource
from livepose.window import Command, Tile, Window, captioned

if TYPE_CHECKING:
    from livepose.live.view import BrowserView

Result = TypeVar("Result")
PARTS = {"libraries": 25, "detector": 20, "pose network": 25, "first picture": 30}
"""What gets ready, in its usual order, and about how many percent of the time each takes."""
SHOW_EVERY_S = 0.03
LATE_S = 8.0
"""Whoever waits longer than this is told why."""


class FirstFrame:
    """The first frame of a live source; others have theirs at once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.line = f"waiting for {source.name}"

    def wait(self, seconds: float | None) -> bool:
        """Waits so long at most; whether it is there. Raises SourceError when there is none."""
        source = self._source
        return not isinstance(source, LiveSource) or source.wait_for_first(seconds)


class GettingReady(Generic[Result]):
    """Work in a thread of its own, and how far it is.

    What libraries do cannot be broken off: when the program is to end before the work is done, its
    process ends without waiting for it (``livepose.cli.end``).
    """

    def __init__(self, work: Callable[[Callable[[str], None]], Result]) -> None:
        self._work = work
        self._missing = dict(PARTS)
        self._started_s = time.perf_counter()
        self._future: Future[Result] = Future()
        threading.Thread(target=self._run, name="getting ready", daemon=True).start()

    def _run(self) -> None:
        try:
            self._future.set_result(self._work(self._done))
        except BaseException as error:  # raised again where the result is taken
            self._future.set_exception(error)

    def _done(self, part: str) -> None:
        self._missing.pop(part, None)

    @property
    def line(self) -> str:
        """``getting ready: detector 25 %``."""
        missing = dict(self._missing)
        share = sum(PARTS.values()) - sum(missing.values())
        late = time.perf_counter() - self._started_s > LATE_S
        why = " (a first start compiles, for up to a minute)" if late else ""
        return f"getting ready: {next(iter(missing), 'first picture')} {share} %{why}"

    def wait(self, seconds: float | None) -> bool:
        """Waits so long at most; whether the work is over."""
        return bool(wait([self._future], seconds).done)

    def result(self) -> Result:
        """What the work returned; its error is raised here."""
        return self._future.result()


@dataclass(eq=False)
class Preview:
    """Who may see what is waited for: a window, a browser view, both, or nobody."""

    images_bgr: Iterator[ImageBgr]
    """Pictures of the source that are not taken from it."""
    window: Window | Tile | None = None
    view: "BrowserView | None" = None
    mirror: bool = False
    """Turns the window's pictures like a mirror; a page does that itself."""
    stopped: bool = False

    def show_until(self, waited: FirstFrame | GettingReady[Any]) -> bool:
        """Shows pictures with the line until it is over; False when somebody had enough."""
        over = False
        try:
            while not over and self._show(waited.line):
                over = waited.wait(SHOW_EVERY_S)
            return over
        finally:
            if not over and self.window is not None:
                self.window.close()

    def stop(self) -> None:
        """Somebody has had enough; may be called from another thread."""
        self.stopped = True

    def _show(self, line: str) -> bool:
        window, view = self.window, self.view
        if window is not None or view is not None:
            image_bgr = next(self.images_bgr)
        if view is not None:
            view.show(image_bgr, line)
        if window is not None:
            window.show(captioned(image_bgr[:, ::-1] if self.mirror else image_bgr, line))
            self.stopped |= Command.QUIT in window.poll()
        return not self.stopped


def preview_images(
    source: Source, again: Callable[[], Source], *, black: bool = False
) -> Iterator[ImageBgr]:
    """Pictures of the source that are not taken from it: live ones, or the first of a file.

    A file is opened ``again`` for it.
    """
    for image_bgr in _taken_from_nobody(source, again):
        yield np.zeros_like(image_bgr) if black else image_bgr


def _taken_from_nobody(source: Source, again: Callable[[], Source]) -> Iterator[ImageBgr]:
    width, height = source.size_wh
    image_bgr = np.zeros((height or 480, width or 640, 3), np.uint8)
    is_file = isinstance(source, VideoSource) and source.path is not None
    if is_file or isinstance(source, ImageSource):
        with again() as opened:
            image_bgr = next(chain((frame.image_bgr for frame in opened), [image_bgr]))
    while isinstance(source, LiveSource):
        if source.wait_for_first(0.0):
            newest_bgr = source.peek()
            image_bgr = image_bgr if newest_bgr is None else newest_bgr
        yield image_bgr
    yield from repeat(image_bgr)
