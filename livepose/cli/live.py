"""Opens the live outputs that the options name: other programs, browsers, cameras, watchdogs.

Servers take a while to import, so that happens where one is asked for.
"""

import logging
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from livepose.cli.run_options import LiveOptions, WindowOptions
from livepose.errors import UsageError
from livepose.pipeline import STAGES, PosePipeline
from livepose.sinks import Sink
from livepose.sources import Source

if TYPE_CHECKING:
    import ssl

    from livepose.live import BrowserView, Health

logger = logging.getLogger(__name__)
BROWSER = "browser"
"""The source that is a page's own camera."""
DEFAULT_VIEW = "8080"
"""Where ``--source browser`` is served unless --serve says so."""


def open_live(
    live: LiveOptions,
    window: WindowOptions,
    source: Source,
    pipeline: PosePipeline,
    header: Mapping[str, Any],
) -> list[Sink]:
    """Everything that takes frames while they are fresh; the health of the stream comes first."""
    if not (live.asked() or live.health is not None or source.name == BROWSER):
        return []
    from livepose.live import Health, VirtualCameraSink, open_bus

    health = Health(source.name, _stages(pipeline), lambda: int(getattr(source, "reconnects", 0)))
    with ExitStack() as stack:
        sinks: list[Sink] = [health]
        sinks += [_kept(stack, open_bus(url, header)) for url in live.send]
        if live.serve is not None or source.name == BROWSER:
            sinks.append(_kept(stack, _view(live, window, source, pipeline, health)))
        if live.virtual_camera is not None:
            sinks.append(_kept(stack, VirtualCameraSink(live.virtual_camera, source.fps)))
        stack.pop_all()
    return sinks


@contextmanager
def health_served(port: int | None) -> Iterator[Callable[[Sequence[Sink]], None]]:
    """Answers ``/healthz`` and ``/metrics``, where a port is given.

    What it yields is told the sinks of each stream as they are opened.
    """
    if port is None:
        yield lambda sinks: None
        return
    from livepose.live import BrowserView, Health, HealthServer

    streams: list[Health] = []
    refused: ChainMap[str, int] = ChainMap()

    def add(sinks: Sequence[Sink]) -> None:
        streams.extend(sink for sink in sinks if isinstance(sink, Health))
        refused.maps.extend(s.endpoint.refused for s in sinks if isinstance(s, BrowserView))

    with HealthServer(port, streams, refused):
        yield add


def _kept(stack: ExitStack, sink: Sink) -> Sink:
    stack.callback(sink.close)
    return sink


def _stages(pipeline: PosePipeline) -> Any:
    clock = pipeline.clock
    return lambda: {name: clock.percentiles_ms(name, 50)[0] for name in STAGES}


def _view(
    live: LiveOptions,
    window: WindowOptions,
    source: Source,
    pipeline: PosePipeline,
    health: "Health",
) -> "BrowserView":
    from livepose.live import BrowserView
    from livepose.live.browser_source import BrowserSource

    host, port = host_and_port(live.serve or DEFAULT_VIEW)
    view = BrowserView(
        host,
        port,
        tls=_tls(live, host),
        skeleton=pipeline.skeleton,
        health=health,
        camera=source if isinstance(source, BrowserSource) else None,
        skeleton_only=window.skeleton_only,
        mirror=window.mirror,
        score_threshold=window.keypoint_threshold,
    )
    logger.info(f"browser view: {view.address}")
    return view


def host_and_port(text: str) -> tuple[str, int]:
    """``8080`` or ``0.0.0.0:8080``; without a host it is loopback.

    Raises
    ------
    UsageError
        When it has another form.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--serve: expected PORT or HOST:PORT such as 8080, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _tls(live: LiveOptions, host: str) -> "ssl.SSLContext | None":
    if live.serve_cert is None and not live.serve_self_signed:
        return None
    from livepose.live.certificate import self_signed_tls, tls_from

    if live.serve_cert is not None:
        return tls_from(live.serve_cert)
    return self_signed_tls(host)
