"""Several cameras or videos at once: one pair of networks, a thread and outputs for each."""

import logging
import threading
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from livepose.cli.play import look, open_chosen, open_sinks, patience, rehearsed
from livepose.errors import UsageError
from livepose.frame import Frame
from livepose.multistream import PoseService
from livepose.pipeline import Settings
from livepose.player import Player, Summary
from livepose.poses import Poses
from livepose.sources import Source

logger = logging.getLogger(__name__)
OUTPUTS = ("output", "json", "csv", "openpose_json", "coco_json", "sheet")
POLL_S = 0.2


def play_many(arguments: Namespace, settings: Settings) -> list[Summary]:
    """Plays the sources of these options side by side, each to its end.

    Raises
    ------
    UsageError
        When outputs of several streams would go to one place.
    """
    each = [numbered(arguments, index) for index in range(len(arguments.several))]
    if arguments.json == "-":
        raise UsageError("several sources cannot share --json -; name a file: each gets its own")
    sources: list[Source] = []
    try:
        sources.extend(open_chosen(one) for one in each)
        with rehearsed(arguments), patience():
            service = PoseService(settings)
            service.warm_up([source.size_wh for source in sources])
        summaries = play_side_by_side(service, each, sources)
    finally:
        for source in sources:
            source.close()
    for source, summary in zip(sources, summaries, strict=True):
        logger.info(f"{source.name}: {summary.frames} frames, {summary.fps:.1f} fps")
    return summaries


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
    """A thread for each stream. An error or Ctrl-C stops all; what was written stays whole."""
    stop = threading.Event()

    def play_one(arguments: Namespace, source: Source) -> Summary:
        with service.stream() as pipeline:
            sinks = open_sinks(arguments, source, pipeline)
            player = Player(pipeline, source, sinks, None, look(arguments))
            player.progress = StopWhen(stop, player)
            return player.play()

    with ThreadPoolExecutor(len(each), thread_name_prefix="stream") as pool:
        pairs = zip(each, sources, strict=True)
        streams: list[Future[Summary]] = [pool.submit(play_one, *pair) for pair in pairs]
        try:
            while wait(streams, POLL_S, FIRST_EXCEPTION).not_done:
                if any(one.done() and one.exception() is not None for one in streams):
                    break
        finally:
            stop.set()
    return [one.result() for one in streams]


class StopWhen:
    """Stops a player after the frame at hand, once somebody said so."""

    def __init__(self, said: threading.Event, player: Player) -> None:
        self._said, self._player = said, player

    def __call__(self, frame: Frame, poses: Poses, fps: float) -> None:
        """One more frame is done."""
        if self._said.is_set():
            self._player.stop()
