"""The first seconds: the source and its window come first, the networks get ready beside them."""

import logging
from collections import ChainMap
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from livepose.cli.getting_ready import FirstFrame, GettingReady, Preview, preview_images
from livepose.cli.run_options import BROWSER, RunOptions, SourceOptions
from livepose.errors import SourceError, UsageError
from livepose.sinks.protocol import Sink
from livepose.sources import (
    AnimationSource,
    Excerpt,
    LiveSettings,
    Source,
    VideoSource,
    open_camera,
    open_images,
    open_source,
    open_video,
)
from livepose.window import Screen, Tile, Window

if TYPE_CHECKING:
    from livepose.cli.play import Networks
    from livepose.live.view import BrowserView
    from livepose.player import Player

logger = logging.getLogger(__name__)
FIRST_FRAME_S = 1.0
"""So long a window waits for something to show; a camera that is not there is said before."""
Watch = Callable[[Sequence[Sink]], None]
"""Is told the sinks of a stream."""


def start(options: RunOptions) -> None:
    """Plays the chosen sources; where there is a window, it is there before the networks are.

    Several play side by side, each to its end, each in a tile of one window.
    """
    with ExitStack() as stack:
        # The sources first: a wrong path is said at once, not after the networks were loaded.
        sources = _open_sources(options, stack)
        watch = stack.enter_context(health_served(options.live.health))
        screen, streams = None, []
        shown = window_possible(options, live=all(source.live for source in sources))
        if len(sources) > 1:
            screen = Screen(f"livepose - {len(sources)} sources", len(sources))
        for number, (source, own) in enumerate(zip(sources, options.each(), strict=True)):
            view = _open_view(own, source, stack)
            window: Window | Tile | None = None
            if shown:
                window = screen.tiles[number] if screen else Window(f"livepose - {source.name}")
            preview = _preview(options, number, source, window, view)
            streams.append(Stream(own, source, window, view, preview))
            if screen is None:
                seen = window is not None or view is not None
                FirstFrame(source).wait(FIRST_FRAME_S if seen else None)
        ready = GettingReady(lambda told: _load(options, sources, watch, told))
        if screen is None:
            streams[0].play(ready, alone=True)
        else:
            play_all(streams, screen, ready)


def _load(
    options: RunOptions, sources: Sequence[Source], watch: Watch, told: Callable[[str], None]
) -> "Networks":
    from livepose.cli.play import Networks

    told("libraries")
    return Networks(options, sources, watch, told)


@dataclass(eq=False)
class Stream:
    """One source, and where it is seen."""

    options: RunOptions
    source: Source
    window: Window | Tile | None
    view: "BrowserView | None"
    preview: Preview
    stopped: bool = False
    player: "Player | None" = None

    def play(self, ready: "GettingReady[Networks]", *, alone: bool) -> None:
        """Plays it to its end, once the networks and its first frame are there."""
        shown = self.preview.show_until
        if not (shown(ready) and shown(FirstFrame(self.source))):
            return
        how = self.options, self.source, self.window, self.view
        with ready.result().player(*how) as self.player:
            if self.stopped:
                self.player.stop()
            from livepose.cli.play import play

            play(self.player, self.options, alone)

    def play_among_others(self, ready: "GettingReady[Networks]") -> bool:
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
        self.preview.stop()
        if self.player is not None:
            self.player.stop()
        if self.source.live:  # it may be waiting for its first frame
            self.source.close()


def play_all(streams: Sequence[Stream], screen: Screen, ready: "GettingReady[Networks]") -> None:
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
    lost = [one.result() for one in playing].count(False)
    if lost:
        raise SourceError(f"{lost} of {len(streams)} sources could not be played to the end")


def _open_sources(options: RunOptions, stack: ExitStack) -> list[Source]:
    sources = []
    for chosen in options.sources.chosen():
        sources.append(open_chosen(*chosen, options.sources, deferred=True))
        stack.callback(sources[-1].close)
    return sources


def open_chosen(kind: str, value: Any, options: SourceOptions, *, deferred: bool = False) -> Source:
    """The source of that kind; a live one at once where it may be ``deferred``."""
    live = LiveSettings(open_timeout_s=options.open_timeout_s, deferred=deferred)
    if options.reconnect_s is not None:
        live = replace(live, reconnect_s=options.reconnect_s, wait_at_start=True)
    source = _open(kind, value, options, live)
    if options.excerpt != Excerpt() and not isinstance(source, VideoSource | AnimationSource):
        source.close()
        raise UsageError(f"--start, --end and --step are for video files, not for {source.name}")
    return source


def _open(kind: str, value: Any, options: SourceOptions, live: LiveSettings) -> Source:
    asked: Any = {"camera_size": options.camera_size, "camera_fps": options.camera_fps}
    turn_deg, excerpt = options.turn_deg, options.excerpt
    if value == BROWSER and kind == "source":
        from livepose.live.browser_source import BrowserSource

        return BrowserSource()
    if kind == "image":
        return open_images(value, rotate=turn_deg)
    if kind == "video":
        return open_video(value, excerpt=excerpt, rotate=turn_deg)
    if kind == "camera" and "://" not in value:
        return open_camera(value, settings=live, rotate=turn_deg, **asked)
    return open_source(value, live=live, excerpt=excerpt, rotate=turn_deg, **asked)


def window_possible(options: RunOptions, *, live: bool) -> bool:
    """Whether a window is wanted and can be had; says why not where it cannot."""
    if not options.wants_window(live):
        return False
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
    return possible


def _preview(
    options: RunOptions,
    number: int,
    source: Source,
    window: Window | Tile | None,
    view: "BrowserView | None",
) -> Preview:
    again = partial(open_chosen, *options.sources.chosen()[number], options.sources)
    shown = preview_images(source, again, black=options.window.skeleton_only)
    return Preview(shown, window, view, mirror=options.window.mirror)


def _open_view(options: RunOptions, source: Source, stack: ExitStack) -> "BrowserView | None":
    """The browser view, where one is asked for or the source needs it."""
    live, window = options.live, options.window
    at = live.served_at(source.name)
    if at is None:
        return None
    from livepose.live.browser_source import BrowserSource
    from livepose.live.endpoint import self_signed_tls, tls_from
    from livepose.live.view import BrowserView

    tls = None
    if live.serve_cert is not None:
        tls = tls_from(live.serve_cert)
    elif live.serve_self_signed:
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
def health_served(port: int | None) -> Iterator[Watch]:
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
