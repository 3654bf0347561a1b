"""Several cameras or videos at once: one pair of networks, a thread and outputs for each."""

import logging
import threading
import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from livepose.cli.play import look, open_chosen, open_sinks, patience, rehearsed
from livepose.errors import SourceError, UsageError
from livepose.frame import Frame
from livepose.multistream import PoseService
from livepose.pipeline import Settings
from livepose.player import Player, Summary
from livepose.poses import Poses
from livepose.sources import LiveSource, Source

logger = logging.getLogger(__name__)
OUTPUTS = ("output", "json", "csv", "openpose_json", "coco_json", "sheet")
POLL_S = 0.2


def play_many(arguments: Namespace, settings: Settings) -> list[Summary]:
    """Plays the sources of these options side by side, each to its end.

    Raises
    ------
    UsageError
        When outputs of several streams would go to one place.
    SourceError
        When all is over, and some could not be opened or were lost on the way.
    """
    each = [numbered(arguments, index) for index in range(len(arguments.several))]
    if arguments.json == "-":
        raise UsageError("several sources cannot share --json -; name a file: each gets its own")
    sources: list[Source] = []
    try:
        sources.extend(open_chosen(one, deferred=True) for one in each)
        await_cameras(sources, arguments.open_timeout)
        with rehearsed(arguments), patience():
            service = PoseService(settings)
            known = [source.size_wh for source in sources if source.size_wh != (0, 0)]
            service.warm_up(known or [(640, 480)])
        summaries = play_side_by_side(service, each, sources)
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


def numbered(arguments: Namespace, index: int) -> Namespace:
    """The options of one stream: its source, and outputs with its number, from 1 on."""
    one = Namespace(**vars(arguments))
    kind, value = arguments.several[index]
    setattr(one, kind, value)
    for name in OUTPUTS:
        asked = getattr(arguments, name)
        if asked is not None:
            path = Path(asked)
            setattr(one, name, path.with_name(f"{path.stem}-{index + 1}{path.suffix}"))
    return one


def play_side_by_side(
    service: PoseService, each: Sequence[Namespace], sources: Sequence[Source]
) -> list[Summary]:
    """A thread for each stream; what was written stays whole.

    A source that is lost ends its own stream alone. Another error or Ctrl-C stops all.
    """
    stop = threading.Event()

    def play_one(arguments: Namespace, source: Source) -> Summary | None:
        try:
            if isinstance(source, LiveSource):
                source.wait_for_first()
            with service.stream() as pipeline:
                sinks = open_sinks(arguments, source, pipeline)
                player = Player(pipeline, source, sinks, None, look(arguments))
                player.progress = StopWhen(stop, player)
                summary = player.play()
        except SourceError as error:
            logger.error(str(error))
            return None
        logger.info(f"{source.name}: {summary.frames} frames, {summary.fps:.1f} fps")
        return summary

    with ThreadPoolExecutor(len(each), thread_name_prefix="stream") as pool:
        pairs = zip(each, sources, strict=True)
        streams = [pool.submit(play_one, *pair) for pair in pairs]
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
