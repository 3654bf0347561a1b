"""The first seconds: the source and its window come first, the networks get ready beside them."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from livepose.cli.getting_ready import FirstFrame, GettingReady, Preview, pictures
from livepose.cli.opening import open_chosen, window_possible
from livepose.cli.run_options import LiveOptions, RunOptions
from livepose.cli.view import Watch, health_served, open_view
from livepose.errors import SourceError
from livepose.sources import Source
from livepose.window import Screen, Tile, Window

if TYPE_CHECKING:
    from livepose.cli.play_many import Streams
    from livepose.live import BrowserView
    from livepose.pipeline import PosePipeline
    from livepose.player import Player

logger = logging.getLogger(__name__)
FIRST_FRAME_S = 1.0
"""So long a window waits for something to show; a camera that is not there is said before."""


def start(options: RunOptions) -> None:
    """Plays the chosen source; where there is a window, it is there before the networks are."""
    with ExitStack() as stack:
        # The source first: a wrong path is said at once, not after the networks were loaded.
        (source,) = _open_sources(options, stack)
        watch = stack.enter_context(health_served(options.live.health))
        view = _open_view(options.live, options, source, stack)
        window = None
        if window_possible(options, live=source.live):
            window = Window(f"livepose - {source.name}")
        seen = window is not None or view is not None
        FirstFrame(source).wait(FIRST_FRAME_S if seen else None)
        ready = GettingReady(lambda told: _load(options, source, told))
        preview = _preview(options, 0, source, window, view)
        if preview.show_until(ready) and preview.show_until(FirstFrame(source)):
            from livepose.cli.play import play

            play(options, source, ready.result(), window, view, watch)


def _open_sources(options: RunOptions, stack: ExitStack) -> list[Source]:
    sources = []
    for chosen in options.sources.chosen():
        sources.append(open_chosen(*chosen, options.sources, deferred=True))
        stack.callback(sources[-1].close)
    return sources


def _open_view(
    live: LiveOptions, options: RunOptions, source: Source, stack: ExitStack
) -> "BrowserView | None":
    view = open_view(live, options.window, source)
    if view is not None:
        stack.callback(view.close)
    return view


def _preview(
    options: RunOptions,
    number: int,
    source: Source,
    window: Window | Tile | None,
    view: "BrowserView | None",
) -> Preview:
    again = partial(open_chosen, *options.sources.chosen()[number], options.sources)
    shown = pictures(source, again, black=options.window.skeleton_only)
    return Preview(shown, window, view, mirror=options.window.mirror)


def _load(options: RunOptions, source: Source, told: Callable[[str], None]) -> "PosePipeline":
    from livepose.cli.play import open_ready

    told("libraries")
    return open_ready(options, source, told)


def start_many(options: RunOptions) -> None:
    """Plays the chosen sources side by side, each to its end, each in a tile of one window."""
    with ExitStack() as stack:
        sources = _open_sources(options, stack)
        shown = window_possible(options, live=all(source.live for source in sources))
        watch = stack.enter_context(health_served(options.live.health))
        screen, streams = Screen(f"livepose - {len(sources)} sources", len(sources)), []
        for number, source in enumerate(sources):
            tile = screen.tiles[number] if shown else None
            view = _open_view(options.live.numbered(number + 1), options, source, stack)
            preview = _preview(options, number, source, tile, view)
            streams.append(Stream(number, source, tile, view, preview))
        ready = GettingReady(lambda told: _load_many(options, sources, watch, told))
        play_all(streams, screen, ready)


def _load_many(
    options: RunOptions, sources: Sequence[Source], watch: Watch, told: Callable[[str], None]
) -> "Streams":
    from livepose.cli.play_many import Streams

    told("libraries")
    return Streams(options, sources, watch, told)


class Stream:
    """One source of several, in a thread of its own."""

    def __init__(
        self,
        number: int,
        source: Source,
        tile: Tile | None,
        view: "BrowserView | None",
        preview: Preview,
    ) -> None:
        self._number, self._source, self._preview = number, source, preview
        self._tile, self._view = tile, view
        self._stopped = False
        self._player: Player | None = None

    def play(self, ready: "GettingReady[Streams]") -> bool:
        """Plays it to its end; whether it came there. What was written stays whole."""
        try:
            shown = self._preview.show_until
            if shown(ready) and shown(FirstFrame(self._source)):
                self._play(ready.result())
        except SourceError as error:
            logger.error(str(error))
            return False
        finally:
            if self._tile is not None:
                self._tile.close()
        return True

    def stop(self) -> None:
        """Lets the frame at hand be the last; may be called from another thread."""
        self._stopped = True
        self._preview.stop()
        if self._player is not None:
            self._player.stop()
        if self._source.live:  # it may be waiting for its first frame
            self._source.close()

    def _play(self, streams: "Streams") -> None:
        with streams.player(self._number, self._tile, self._view) as self._player:
            if self._stopped:
                self._player.stop()
            summary = self._player.play()
            logger.info(f"{self._source.name}: {summary.frames} frames, {summary.fps:.1f} fps")


def play_all(streams: Sequence[Stream], screen: Screen, ready: "GettingReady[Streams]") -> None:
    """A thread for each stream, while this one shows them.

    A source that is lost ends its own stream alone; another error, or Ctrl-C, ends all.
    """
    with ThreadPoolExecutor(len(streams), thread_name_prefix="stream") as pool:
        playing = [pool.submit(stream.play, ready) for stream in streams]

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
