"""The first seconds: the source and its window come first, the networks get ready beside them.

Meanwhile a line says how far they are, over images of the source. Nothing heavy is imported here.
"""

import logging
import threading
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from livepose.cli.run_options import BROWSER, RunOptions, SourceOptions
from livepose.errors import SourceError, UsageError
from livepose.frame import ImageBgr
from livepose.sinks.sink import Sink
from livepose.sources import (
    AnimationSource,
    Excerpt,
    ImageSource,
    LiveSettings,
    LiveSource,
    Source,
    VideoSource,
    open_camera,
    open_images,
    open_source,
    open_video,
)
from livepose.window import Command, Screen, Tile, Window, captioned

if TYPE_CHECKING:
    from livepose.live.view import BrowserView
    from livepose.pipeline import PosePipeline
    from livepose.player import Player

logger = logging.getLogger(__name__)
Told = Callable[[str], None]
"""Hears of each part that is ready."""
Networks = Callable[[], "AbstractContextManager[PosePipeline]"]
"""Gives each stream its pipeline."""
PARTS = {"libraries": 25, "detector": 20, "pose network": 25, "first image": 30}
"""What gets ready, in its usual order, and about how many percent of the time each takes."""
SHOW_EVERY_S = 0.03
LATE_S = 8.0
"""Whoever waits longer than this is told why."""
FIRST_FRAME_S = 1.0
"""So long a window waits for something to show; a camera that is not there is said before."""


def start(options: RunOptions) -> None:
    """Plays the chosen sources; where there is a window, it is there before the networks are.

    Several play side by side, each to its end, each in a tile of one window.
    """
    with ExitStack() as stack:
        # The sources first: a wrong path is said at once, not after the networks were loaded.
        chosen, sources = options.sources.chosen(), []
        for one in chosen:
            sources.append(open_chosen(*one, options.sources, deferred=True))
            stack.callback(sources[-1].close)
        watch = stack.enter_context(_health_served(options.live.health))
        shown = window_possible(options, live=all(source.live for source in sources))
        screen, streams = None, []
        if len(sources) > 1:
            screen = Screen(f"livepose - {len(sources)} sources", len(sources))
        for number, (source, own) in enumerate(zip(sources, options.each(), strict=True)):
            view = _open_view(own, source, stack)
            window: Window | Tile | None = None
            if shown:
                window = screen.tiles[number] if screen else Window(f"livepose - {source.name}")
            again = partial(open_chosen, *chosen[number], options.sources)
            streams.append(Stream(own, source, again, watch, window, view))
            if screen is None:
                _has_frame(source, FIRST_FRAME_S if window or view else None)
        ready = GettingReady(partial(_load, options, sources))
        if screen is None:
            streams[0].play(ready, alone=True)
        else:
            _play_all(streams, screen, ready)


def _load(options: RunOptions, sources: Sequence[Source], told: Told) -> Networks:
    from livepose.cli.play import open_networks

    told("libraries")
    return open_networks(options, sources, told)


class GettingReady:
    """Work in a thread of its own, and how far it is.

    What libraries do cannot be broken off: when the program is to end before the work is done, its
    process ends without waiting for it (``livepose.cli.end``).
    """

    def __init__(self, work: Callable[[Told], Any]) -> None:
        self._missing = dict(PARTS)
        self._started_s = time.perf_counter()
        self._future: Future[Any] = Future()
        threading.Thread(target=self._run, args=(work,), name="getting ready", daemon=True).start()

    def _run(self, work: Callable[[Told], Any]) -> None:
        try:
            self._future.set_result(work(self._done))
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
        return f"getting ready: {next(iter(missing), 'first image')} {share} %{why}"

    def wait(self, seconds: float | None) -> bool:
        """Waits so long at most; whether the work is over."""
        return bool(wait([self._future], seconds).done)

    def result(self) -> Any:
        """What the work returned; its error is raised here."""
        return self._future.result()


def _has_frame(source: Source, seconds: float | None) -> bool:
    """Waits so long for the first frame of a live source; SourceError when there is none."""
    return not isinstance(source, LiveSource) or source.wait_for_first(seconds)


@dataclass(eq=False)
class Stream:
    """One source, and where it is seen: a window, a browser view, both, or nowhere."""

    options: RunOptions
    source: Source
    again: Callable[[], Source]
    """Opens the source once more, for an image that is not taken from it."""
    watch: Callable[[Sequence[Sink]], None] = lambda sinks: None
    """Is told the sinks."""
    window: Window | Tile | None = None
    view: "BrowserView | None" = None
    stopped: bool = False
    player: "Player | None" = None

    def play(self, ready: GettingReady, *, alone: bool) -> None:
        """Plays it to its end, once the networks and its first frame are there."""
        if not self.show_until_ready(ready):
            return
        from livepose.cli.play import open_player, play

        with ready.result()() as pipeline:
            self.player = open_player(self, pipeline)
            if self.stopped:
                self.player.stop()
            play(self.player, self.options.outputs, alone)

    def play_among_others(self, ready: GettingReady) -> bool:
        """The same in a thread of its own; whether it came to its end, or its source was lost."""
        try:
            self.play(ready, alone=False)
        except SourceError as error:
            logger.error(str(error))
            return False
        finally:
            if self.window is not None:
                self.window.close()
        return True

    def stop(self) -> None:
        """Lets the frame at hand be the last; may be called from another thread."""
        self.stopped = True
        if self.player is not None:
            self.player.stop()
        if self.source.live:  # it may be waiting for its first frame
            self.source.close()

    def show_until_ready(self, ready: GettingReady) -> bool:
        """Shows images with a line until all is there; False when somebody had enough."""
        images, source, over = self.images(), self.source, False
        steps: list[tuple[Callable[[], str], Callable[[float], bool]]] = [
            (lambda: ready.line, ready.wait),
            (lambda: f"waiting for {source.name}", partial(_has_frame, source)),
        ]
        try:
            for line, wait in steps:
                over = False
                while not over and self._show(images, line()):
                    over = wait(SHOW_EVERY_S)
                if not over:
                    break
            return over
        finally:
            if not over and self.window is not None:
                self.window.close()

    def images(self) -> Iterator[ImageBgr]:
        """Images that are not taken from the source: live ones, or the first of a file."""
        source, (width, height) = self.source, self.source.size_wh
        image_bgr = np.zeros((height or 480, width or 640, 3), np.uint8)
        is_file = isinstance(source, VideoSource) and source.path is not None
        if is_file or isinstance(source, ImageSource):
            with self.again() as opened:
                image_bgr = next(chain((frame.image_bgr for frame in opened), [image_bgr]))
        while True:
            if isinstance(source, LiveSource) and source.wait_for_first(0.0):
                newest_bgr = source.peek()
                image_bgr = image_bgr if newest_bgr is None else newest_bgr
            black = self.options.window.skeleton_only
            yield np.zeros_like(image_bgr) if black else image_bgr

    def _show(self, images: Iterator[ImageBgr], line: str) -> bool:
        if self.window is not None or self.view is not None:
            image_bgr = next(images)
        if self.view is not None:
            self.view.show(image_bgr, line)
        if self.window is not None:
            mirrored = self.options.window.mirror  # which a page does itself
            self.window.show(captioned(image_bgr[:, ::-1] if mirrored else image_bgr, line))
            self.stopped |= Command.QUIT in self.window.poll()
        return not self.stopped


def _play_all(streams: Sequence[Stream], screen: Screen, ready: GettingReady) -> None:
    """A thread for each stream, while this one shows them.

    A source that is lost ends its own stream alone; another error, or Ctrl-C, ends all.
    """
    with ThreadPoolExecutor(len(streams), thread_name_prefix="stream") as pool:
        playing = [pool.submit(stream.play_among_others, ready) for stream in streams]

        def goes_on() -> bool:
            done = [one for one in playing if one.done()]
            return len(done) < len(playing) and not any(one.exception() for one in done)

        try:
            screen.run(goes_on)
        finally:
            for stream in streams:
                stream.stop()
    if lost := [one.result() for one in playing].count(False):
        raise SourceError(f"{lost} of {len(streams)} sources could not be played to the end")


def open_chosen(kind: str, value: Any, options: SourceOptions, *, deferred: bool = False) -> Source:
    """The source of that kind; a live one at once where it may be ``deferred``."""
    live = LiveSettings(open_timeout_s=options.open_timeout_s, deferred=deferred)
    if options.reconnect_s is not None:
        live = replace(live, reconnect_s=options.reconnect_s, wait_at_start=True)
    asked: Any = {"camera_size": options.camera_size, "camera_fps": options.camera_fps}
    turn_deg, excerpt = options.turn_deg, options.excerpt
    source: Source
    if value == BROWSER and kind == "source":
        from livepose.live.view import BrowserSource

        source = BrowserSource()
    elif kind == "image":
        source = open_images(value, rotate=turn_deg)
    elif kind == "video":
        source = open_video(value, excerpt=excerpt, rotate=turn_deg)
    elif kind == "camera" and "://" not in value:
        source = open_camera(value, settings=live, rotate=turn_deg, **asked)
    else:
        source = open_source(value, live=live, excerpt=excerpt, rotate=turn_deg, **asked)
    if excerpt != Excerpt() and not isinstance(source, VideoSource | AnimationSource):
        source.close()
        raise UsageError(f"--start, --end and --step are for video files, not for {source.name}")
    return source


def window_possible(options: RunOptions, *, live: bool) -> bool:
    """Whether a window is wanted and can be had; says why not where it cannot."""
    if not options.wants_window(live):
        return False
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
    return possible


def _open_view(options: RunOptions, source: Source, stack: ExitStack) -> "BrowserView | None":
    """The browser view, where one is asked for or the source needs it."""
    live, window, at = options.live, options.window, options.live.served_at(source.name)
    if at is None:
        return None
    from livepose.live.endpoint import self_signed_tls, tls_from
    from livepose.live.view import BrowserSource, BrowserView

    tls = tls_from(live.serve_cert) if live.serve_cert is not None else None
    if tls is None and live.serve_self_signed:
        tls = self_signed_tls(at[0])
    view = BrowserView(
        *at,
        tls=tls,
        camera=source if isinstance(source, BrowserSource) else None,
        skeleton_only=window.skeleton_only,
        mirror=window.mirror,
        score_threshold=window.keypoint_threshold,
    )
    stack.callback(view.close)
    logger.info(f"browser view: {view.address}")
    return view


@contextmanager
def _health_served(port: int | None) -> Iterator[Callable[[Sequence[Sink]], None]]:
    """Answers ``/healthz`` and ``/metrics``, where a port is given.

    What it yields is told the sinks of each stream as they are opened; before, nothing is well.
    """
    if port is None:
        yield lambda sinks: None
        return
    from livepose.live.health import Health, serve_health
    from livepose.live.view import BrowserView

    streams: list[Health] = []
    refused: ChainMap[str, int] = ChainMap()

    def add(sinks: Sequence[Sink]) -> None:
        streams.extend(sink for sink in sinks if isinstance(sink, Health))
        refused.maps.extend(s.endpoint.refused for s in sinks if isinstance(s, BrowserView))

    with serve_health(port, streams, refused):
        yield add
