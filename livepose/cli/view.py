"""Opens the browser view and the health server; no network is loaded for them."""

import logging
from collections import ChainMap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from livepose.cli.live_checks import served_at
from livepose.cli.run_options import LiveOptions, WindowOptions
from livepose.sinks.protocol import Sink
from livepose.sources import Source

if TYPE_CHECKING:
    import ssl

    from livepose.live import BrowserView

logger = logging.getLogger(__name__)
Watch = Callable[[Sequence[Sink]], None]
"""Is told the sinks of a stream."""


def open_view(live: LiveOptions, window: WindowOptions, source: Source) -> "BrowserView | None":
    """The view, where one is asked for or the source needs it."""
    at = served_at(live, source.name)
    if at is None:
        return None
    from livepose.live import BrowserView
    from livepose.live.browser_source import BrowserSource

    host, port = at
    view = BrowserView(
        host,
        port,
        tls=_tls(live, host),
        camera=source if isinstance(source, BrowserSource) else None,
        skeleton_only=window.skeleton_only,
        mirror=window.mirror,
        score_threshold=window.keypoint_threshold,
    )
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
    from livepose.live import BrowserView, Health, HealthServer

    streams: list[Health] = []
    refused: ChainMap[str, int] = ChainMap()

    def add(sinks: Sequence[Sink]) -> None:
        streams.extend(sink for sink in sinks if isinstance(sink, Health))
        refused.maps.extend(s.endpoint.refused for s in sinks if isinstance(s, BrowserView))

    with HealthServer(port, streams, refused):
        yield add


def _tls(live: LiveOptions, host: str) -> "ssl.SSLContext | None":
    if live.serve_cert is None and not live.serve_self_signed:
        return None
    from livepose.live.certificate import self_signed_tls, tls_from

    if live.serve_cert is not None:
        return tls_from(live.serve_cert)
    return self_signed_tls(host)
