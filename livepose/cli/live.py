"""Opens the live outputs that the options name: other programs, browsers, cameras, watchdogs.

Servers take a while to import, so that happens where one is asked for.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from livepose.cli.run_options import LiveOptions
from livepose.pipeline import STAGES, PosePipeline
from livepose.sinks.protocol import Sink
from livepose.sources import Source

if TYPE_CHECKING:
    from livepose.live import BrowserView


def open_live(
    live: LiveOptions,
    source: Source,
    pipeline: PosePipeline,
    header: Mapping[str, Any],
    view: "BrowserView | None",
) -> list[Sink]:
    """Everything that takes frames while they are fresh; the health of the stream comes first."""
    if not (live.asked() or live.health is not None or view is not None):
        return []
    from livepose.live import Health, VirtualCameraSink, open_bus

    health = Health(source.name, _stages(pipeline), lambda: int(getattr(source, "reconnects", 0)))
    with ExitStack() as stack:
        sinks: list[Sink] = [health]
        sinks += [_kept(stack, open_bus(url, header)) for url in live.send]
        if view is not None:
            view.begin(pipeline.skeleton, health)
            sinks.append(view)
        if live.virtual_camera is not None:
            sinks.append(_kept(stack, VirtualCameraSink(live.virtual_camera, source.fps)))
        stack.pop_all()
    return sinks


def _kept(stack: ExitStack, sink: Sink) -> Sink:
    stack.callback(sink.close)
    return sink


def _stages(pipeline: PosePipeline) -> Any:
    clock = pipeline.clock
    return lambda: {name: clock.percentiles_ms(name, 50)[0] for name in STAGES}
