"""The first seconds: the source and its window come first, the networks get ready beside them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from livepose.cli.getting_ready import FirstFrame, GettingReady, Waited, preview, show_until
from livepose.cli.opening import open_chosen, window_possible
from livepose.cli.run_options import RunOptions
from livepose.errors import SourceError
from livepose.frame import ImageBgr
from livepose.sources import Source
from livepose.window import Command, Pane, Screen, Window

if TYPE_CHECKING:
    from livepose.cli.play_many import Streams
    from livepose.pipeline import PosePipeline
    from livepose.player import Player

logger = logging.getLogger(__name__)
FIRST_FRAME_S = 1.0
"""So long a window waits for something to show; a camera that is not there is said before."""


def start(options: RunOptions) -> None:
    """Plays the chosen source; where there is a window, it is there before the networks are."""
    (chosen,) = options.sources.chosen()
    # The source first: a wrong path is said at once, not after the networks were loaded.
    source = open_chosen(*chosen, options.sources, deferred=True)
    try:
        if not window_possible(options, live=source.live):
            FirstFrame(source).wait(None)
            from livepose.cli.play import open_ready, play

            play(options, source, open_ready(options, source), None)
            return
        FirstFrame(source).wait(FIRST_FRAME_S)
        window, pictures = Window(f"livepose - {source.name}"), previewed(options, source, chosen)
        ready = GettingReady(lambda told: _load(options, source, told))
        if all(show_until(one, window, pictures) for one in (ready, FirstFrame(source))):
            from livepose.cli.play import play

            play(options, source, ready.result(), window)
    finally:
        source.close()


def previewed(options: RunOptions, source: Source, chosen: tuple[str, Any]) -> Iterator[ImageBgr]:
    """What a window shows of a source before it is played."""
    again = partial(open_chosen, *chosen, options.sources)
    window = options.window
    return preview(source, again, mirror=window.mirror, black=window.skeleton_only)


def _load(options: RunOptions, source: Source, told: Callable[[str], None]) -> "PosePipeline":
    from livepose.cli.play import open_ready

    told("libraries")
    return open_ready(options, source, told)


def start_many(options: RunOptions) -> None:
    """Plays the chosen sources side by side, each to its end, each in a window of its own.

    Raises
    ------
    SourceError
        When all is over, and some could not be opened or were lost on the way.
    """
    chosen, screen = options.sources.chosen(), Screen()
    sources: list[Source] = []
    try:
        sources.extend(open_chosen(*one, options.sources, deferred=True) for one in chosen)
        ready = GettingReady(lambda told: _load_many(options, sources, told))
        shown = window_possible(options, live=all(source.live for source in sources))
        streams = [
            Stream(
                number,
                source,
                screen.pane(f"livepose {number + 1} - {source.name}") if shown else None,
                previewed(options, source, chosen[number]),
            )
            for number, source in enumerate(sources)
        ]
        if not shown:
            ready.result()  # here, where Ctrl-C breaks it off
        play_all(streams, screen, ready)
    finally:
        for source in sources:
            source.close()


def _load_many(
    options: RunOptions, sources: Sequence[Source], told: Callable[[str], None]
) -> "Streams":
    from livepose.cli.play_many import Streams

    told("libraries")
    return Streams(options, sources, told)


class Stream:
    """One source of several, in a thread of its own."""

    def __init__(
        self, number: int, source: Source, pane: Pane | None, pictures: Iterator[ImageBgr]
    ) -> None:
        self._number, self._source, self._pane, self._pictures = number, source, pane, pictures
        self._stopped = False
        self._player: Player | None = None

    def play(self, ready: "GettingReady[Streams]") -> bool:
        """Plays it to its end; whether it came there. What was written stays whole."""
        try:
            if self._await(ready) and self._await(FirstFrame(self._source)):
                self._play(ready.result())
        except SourceError as error:
            logger.error(str(error))
            return False
        finally:
            if self._pane is not None:
                self._pane.close()
        return True

    def stop(self) -> None:
        """Lets the frame at hand be the last; may be called from another thread."""
        self._stopped = True
        if self._pane is not None:
            self._pane.ask(Command.QUIT)
        if self._player is not None:
            self._player.stop()
        if self._source.live:  # it may be waiting for its first frame
            self._source.close()

    def _await(self, waited: Waited) -> bool:
        if self._pane is None:
            return waited.wait(None)
        return show_until(waited, self._pane, self._pictures)

    def _play(self, streams: "Streams") -> None:
        with streams.player(self._number, self._pane) as self._player:
            if not self._stopped:
                summary = self._player.play()
                logger.info(f"{self._source.name}: {summary.frames} frames, {summary.fps:.1f} fps")


def play_all(streams: Sequence[Stream], screen: Screen, ready: "GettingReady[Streams]") -> None:
    """A thread for each stream, while this one shows their windows.

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
    if ready.wait(0.0):
        ready.result().close()
    if lost:
        raise SourceError(f"{lost} of {len(streams)} sources could not be played to the end")
