"""The first seconds: the source and its window come first, the networks get ready beside them.

Meanwhile a line says how far they are, over images of the source. Nothing heavy is imported here.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from livepose.cli.run_options import BROWSER, RunOptions, SourceOptions
from livepose.errors import SourceError, UsageError
from livepose.sinks.sink import video_format
from livepose.sources import (
    Excerpt,
    LiveSettings,
    Source,
    open_camera,
    open_images,
    open_source,
    open_video,
)
from livepose.window import Command, Screen, Tile, Window, captioned

if TYPE_CHECKING:
    from livepose.live.health import Health
    from livepose.live.view import BrowserView
    from livepose.pipeline import PosePipeline
    from livepose.player import Player

logger = logging.getLogger(__name__)
Networks = Callable[[], "AbstractContextManager[PosePipeline]"]
"""Gives each stream its pipeline."""
PARTS = {"libraries": 25, "detector": 20, "pose network": 25, "first image": 30}
"""What gets ready, in its usual order, and about how many percent of the time each takes."""
SHOW_EVERY_S = 0.03
LATE_S = 8.0
FIRST_FRAME_S = 1.0
"""So long a window waits for something to show; a camera that is not there is said before."""


def start(options: RunOptions, scene: Source | None = None) -> None:
    """Plays the chosen sources, or the scene; where there is a window, it is there at once.

    Several play side by side, each to its end, each in a tile of one window.
    """
    with ExitStack() as stack:
        # The sources first: a wrong path is said at once, not after the networks were loaded.
        each = options.each()
        sources = [stack.enter_context(scene or opened(one.sources, deferred=True)) for one in each]
        healths: list[Health] = []
        streams = [Stream(own, one, healths) for own, one in zip(each, sources, strict=True)]
        with ExitStack() as held:  # so that two who want one port are told
            for stream in streams:
                stream.check(held)
                stream.view = _open_view(stream, stack)
            if options.live.health is not None:
                from livepose.live.health import serve_health

                refused = [one.view.endpoint.refused for one in streams if one.view]
                stack.enter_context(serve_health(options.live.health, healths, refused))
        shown = options.wants_window(live=all(source.live for source in sources))
        if shown and (why_not := Window.available()[1]):
            logger.warning(f"no window: {why_not}; running without one")
            shown = False

        def load(told: Callable[[str], None]) -> Networks:
            from livepose.cli.play import open_networks

            told("libraries")
            return open_networks(options, sources, told)

        if len(streams) > 1:
            screen = Screen(f"livepose - {len(sources)} sources", len(sources))
            for stream, tile in zip(streams, screen.tiles, strict=True):
                stream.window = tile if shown else None
            _play_all(streams, screen, GettingReady(load))
            return
        if shown:
            streams[0].window = stack.enter_context(Window(f"livepose - {sources[0].name}"))
        sources[0].wait_for_first(FIRST_FRAME_S)
        streams[0].play(GettingReady(load), alone=True)


def opened(options: SourceOptions, *, deferred: bool = False) -> Source:
    """The one source that is named; a live one at once where it may be ``deferred``."""
    (value, *_), kind = options.named(), options.kind
    live = LiveSettings(open_timeout_s=options.open_timeout_s, deferred=deferred)
    if options.reconnect_s is not None:
        live = replace(live, reconnect_s=options.reconnect_s, wait_at_start=True)
    asked: Any = {"camera_size": options.camera_size, "camera_fps": options.camera_fps}
    turn_deg, excerpt = options.turn_deg, options.excerpt
    source: Source
    if value == BROWSER and kind in ("paths", "source"):
        from livepose.live.view import BrowserSource

        source = BrowserSource()
    elif kind == "image":
        source = open_images(options.image, rotate=turn_deg)
    elif kind == "video":
        source = open_video(value, excerpt=excerpt, rotate=turn_deg)
    elif kind == "camera":
        source = open_camera(value, settings=live, rotate=turn_deg, **asked)
    else:
        source = open_source(value, live=live, excerpt=excerpt, rotate=turn_deg, **asked)
    if excerpt != Excerpt() and source.kind != "video":
        source.close()
        raise UsageError(f"--start, --end and --step are for video files, not for {source.name}")
    return source


def _open_view(stream: "Stream", stack: ExitStack) -> "BrowserView | None":
    """The browser view, where one is asked for or the source needs it."""
    live, style, source = stream.options.live, stream.options.style, stream.source
    if (at := live.served_at(source.name)) is None:
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
        skeleton_only=style.skeleton_only,
        mirror=style.mirror,
        score_threshold=style.score_threshold,
    )
    logger.info(f"browser view: {view.address}")
    return stack.enter_context(view)


class GettingReady:
    """Work in a thread of its own, and how far it is.

    What libraries do cannot be broken off: when the program is to end before the work is done, its
    process ends without waiting for it (``livepose.cli.end``).
    """

    def __init__(self, work: Callable[[Callable[[str], None]], Any]) -> None:
        self._done, self._late_s = list[str](), time.perf_counter() + LATE_S
        self._future = ThreadPoolExecutor(1, "getting ready").submit(work, self._done.append)
        self.result = self._future.result

    @property
    def line(self) -> str:
        """``getting ready: detector 25 %``, and why where that takes long."""
        missing = {part: share for part, share in PARTS.items() if part not in self._done}
        share = sum(PARTS.values()) - sum(missing.values())
        late = time.perf_counter() > self._late_s
        why = " (a first start compiles, for up to a minute)" if late else ""
        return f"getting ready: {next(iter(missing), 'first image')} {share} %{why}"

    def wait(self, seconds: float | None) -> bool:
        """Waits so long at most; whether the work is over."""
        return bool(wait([self._future], seconds).done)


@dataclass(eq=False)
class Stream:
    """One source, and where it is seen: a window, a browser view, both, or nowhere."""

    options: RunOptions
    source: Source
    healths: "list[Health]" = field(default_factory=list)
    """Takes that of the stream once it plays; before, nothing is well."""
    window: Window | Tile | None = None
    view: "BrowserView | None" = None
    stopped: bool = False
    player: "Player | None" = None

    def check(self, held: ExitStack) -> None:
        """Refuses a video that cannot be written, addresses that cannot be had, no such camera.

        Ports are ``held`` until all who want some have been asked.
        """
        output, live = self.options.outputs.output, self.options.live
        if output is not None and self.source.kind != "images":
            video_format(output)
        if live.send:
            from livepose.live.addresses import BusAddress, listen

            for address in map(BusAddress.parse, live.send):
                if address.scheme == "ws":
                    held.enter_context(listen(address.host, address.port))
                else:
                    address.resolved()
        if live.virtual_camera is not None:
            from livepose.live.virtual_camera import check_virtual_camera

            check_virtual_camera(live.virtual_camera)

    def play(self, ready: GettingReady, *, alone: bool) -> None:
        """Plays it to its end, once the networks and its first frame are there."""
        if self.show_until_ready(ready):
            from livepose.cli.play import play

            with ready.result()() as pipeline:
                play(self, pipeline, alone)

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
        waiting = f"waiting for {self.source.name}"
        return self._show_until(ready.wait, lambda: ready.line) and self._show_until(
            self.source.wait_for_first, lambda: waiting
        )

    def _show_until(self, over: Callable[[float], bool], line: Callable[[], str]) -> bool:
        while self._show(line()):
            if over(SHOW_EVERY_S):
                return True
        return False

    def _show(self, line: str) -> bool:
        image_bgr, style = self.source.peek(), self.options.style
        if image_bgr is None or style.skeleton_only:
            width, height = self.source.size_wh
            image_bgr = np.zeros((height or 480, width or 640, 3), np.uint8)
        if self.view is not None:
            self.view.show(image_bgr, line)
        if self.window is not None:  # a page mirrors by itself
            self.window.show(captioned(image_bgr[:, ::-1] if style.mirror else image_bgr, line))
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
