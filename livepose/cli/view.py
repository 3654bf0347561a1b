"""Opens the browser view that the options name; no network is loaded for it."""

import logging
from typing import TYPE_CHECKING

from livepose.cli.live_checks import served_at
from livepose.cli.run_options import LiveOptions, WindowOptions
from livepose.sources import Source

if TYPE_CHECKING:
    import ssl

    from livepose.live import BrowserView

logger = logging.getLogger(__name__)


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


def _tls(live: LiveOptions, host: str) -> "ssl.SSLContext | None":
    if live.serve_cert is None and not live.serve_self_signed:
        return None
    from livepose.live.certificate import self_signed_tls, tls_from

    if live.serve_cert is not None:
        return tls_from(live.serve_cert)
    return self_signed_tls(host)
