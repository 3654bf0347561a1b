"""Several cameras or videos at once: one pair of networks, a thread and outputs for each."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress

from livepose.cli.live import health_served
from livepose.cli.opening import open_chosen
from livepose.cli.play import look, open_all, patience, with_drawing_warm
from livepose.cli.run_options import RunOptions
from livepose.errors import SourceError
from livepose.frame import Frame
from livepose.multistream import PoseService
from livepose.pipeline import PosePipeline
from livepose.player import Look, Player, Summary
from livepose.poses import Poses
from livepose.sinks import Sink
from livepose.sources import LiveSource, Source

logger = logging.getLogger(__name__)
POLL_S = 0.2


def play_many(options: RunOptions) -> list[Summary]:
    """Plays the sources of these options side by side, each to its end.

    Raises
    ------
    SourceError
        When all is over, and some could not be opened or were lost on the way.
    """
    chosen = options.sources.chosen()
    outputs = [options.outputs.numbered(number + 1) for number in range(len(chosen))]
    live = [options.live.numbered(number + 1) for number in range(len(chosen))]
    sources: list[Source] = []
    try:
        sources.extend(open_chosen(*one, options.sources, deferred=True) for one in chosen)
        await_cameras(sources, options.sources.open_timeout_s)
        with with_drawing_warm(options), patience():
            service = PoseService(options.settings)
            known = [source.size_wh for source in sources if source.size_wh != (0, 0)]
            service.warm_up(known or [(640, 480)])
        with health_served(options.live.health) as watch:

            def opened(number: int, pipeline: PosePipeline) -> list[Sink]:
                where = outputs[number], live[number], sources[number]
                sinks = open_all(options, *where, pipeline)
                watch(sinks)
                return sinks

            drawn_as, threshold = look(options.window), options.outputs.kpt_thr
            summaries = play_side_by_side(service, sources, opened, drawn_as, threshold)
    finally:
        for source in sources:
            source.close()
    return summaries


def await_cameras(sources: Sequence[Source], limit_s: float) -> None:
    """Waits for the first frames of live sources for so long; who fails tells of it later."""
    until_s = time.perf_counter() + limit_s
    for source in sources:
        if isinstance(source, LiveSource):
            with suppress(SourceError):
                source.wait_for_first(max(until_s - time.perf_counter(), 0.0))


def play_side_by_side(
    service: PoseService,
    sources: Sequence[Source],
    opened: Callable[[int, PosePipeline], list[Sink]],
    drawn_as: Look,
    export_threshold: float,
) -> list[Summary]:
    """A thread for each stream, with the outputs that ``opened`` gives it by its number.

    What was written stays whole.

    A source that is lost ends its own stream alone. Another error or Ctrl-C stops all.
    """
    stop = threading.Event()

    def play_one(number: int, source: Source) -> Summary | None:
        try:
            if isinstance(source, LiveSource):
                source.wait_for_first()
            with service.stream() as pipeline:
                player = Player(pipeline, source, opened(number, pipeline), None, drawn_as)
                player.export_threshold = export_threshold
                player.progress = StopWhen(stop, player)
                summary = player.play()
        except SourceError as error:
            logger.error(str(error))
            return None
        logger.info(f"{source.name}: {summary.frames} frames, {summary.fps:.1f} fps")
        return summary

    with ThreadPoolExecutor(len(sources), thread_name_prefix="stream") as pool:
        streams = [pool.submit(play_one, *pair) for pair in enumerate(sources)]
        try:
            while wait(streams, POLL_S, FIRST_EXCEPTION).not_done:
                if any(one.done() and one.exception() is not None for one in streams):
                    break
        finally:
            stop.set()
            for source in sources:
                if source.live:  # no frame may ever come to stop at
                    source.close()
    return whole([one.result() for one in streams])


def whole(summaries: Sequence[Summary | None]) -> list[Summary]:
    """The summaries of all streams; SourceError where some are missing."""
    played = [one for one in summaries if one is not None]
    lost = len(summaries) - len(played)
    if lost:
        raise SourceError(f"{lost} of {len(summaries)} sources could not be played to the end")
    return played


class StopWhen:
    """Stops a player after the frame at hand, once somebody said so."""

    def __init__(self, said: threading.Event, player: Player) -> None:
        self._said, self._player = said, player

    def __call__(self, frame: Frame, poses: Poses, fps: float) -> None:
        """One more frame is done."""
        if self._said.is_set():
            self._player.stop()
