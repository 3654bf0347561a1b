"""Several cameras or videos at once: one pair of networks, and outputs for each."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from livepose.cli.play import USUAL_WH, look, open_all, patience, with_drawing_warm
from livepose.cli.run_options import RunOptions
from livepose.cli.view import Watch
from livepose.errors import SourceError
from livepose.multistream import PoseService
from livepose.player import Player
from livepose.sources import LiveSource, Source
from livepose.window import Tile

if TYPE_CHECKING:
    from livepose.live import BrowserView

FIRST_FRAMES_S = 2.0
"""So long all wait, once the networks are open, for cameras that have not sent a frame."""


class Streams:
    """What plays several sources; made with its networks warm.

    ``watch`` is told the outputs of each, and ``told`` hears of each part that is ready.
    """

    def __init__(
        self,
        options: RunOptions,
        sources: Sequence[Source],
        watch: Watch,
        told: Callable[[str], None],
    ) -> None:
        self._options, self._sources, self._watch = options, sources, watch
        with with_drawing_warm(options), patience():
            self._service = PoseService(options.settings, told=told)
            await_cameras(sources, FIRST_FRAMES_S)
            known = [source.size_wh for source in sources if source.size_wh != (0, 0)]
            self._service.warm_up(known or [USUAL_WH])

    @contextmanager
    def player(
        self, number: int, window: Tile | None, view: "BrowserView | None"
    ) -> Iterator[Player]:
        """The player of one source, with its outputs; for the thread that plays it."""
        options, source = self._options, self._sources[number]
        outputs, live = options.outputs.numbered(number + 1), options.live.numbered(number + 1)
        with self._service.stream() as pipeline:
            sinks = open_all(options, outputs, live, source, pipeline, view)
            self._watch(sinks)
            player = Player(pipeline, source, sinks, window, look(options.window))
            player.export_threshold = outputs.kpt_thr
            yield player


def await_cameras(sources: Sequence[Source], limit_s: float) -> None:
    """Waits for the first frames of live sources for so long; who fails tells of it later."""
    until_s = time.perf_counter() + limit_s
    for source in sources:
        if isinstance(source, LiveSource):
            with suppress(SourceError):
                source.wait_for_first(max(until_s - time.perf_counter(), 0.0))
