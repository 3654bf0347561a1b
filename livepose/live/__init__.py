"""Live outputs: poses in other programs, a look from a browser, a virtual camera, health.

Each of them is a sink whose ``write`` hands over and returns: a slow or absent reader costs the
pipeline nothing. Whoever reads too slowly gets the newest frame, and never an old one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livepose.live.bus import open_bus
    from livepose.live.health import Health, HealthServer
    from livepose.live.view import BrowserView
    from livepose.live.virtual_camera import VirtualCameraSink

__all__ = ["BrowserView", "Health", "HealthServer", "VirtualCameraSink", "open_bus"]

_HOMES = {
    "BrowserView": "livepose.live.view",
    "Health": "livepose.live.health",
    "HealthServer": "livepose.live.health",
    "VirtualCameraSink": "livepose.live.virtual_camera",
    "open_bus": "livepose.live.bus",
}


def __getattr__(name: str) -> Any:
    """Loads an output when it is first asked for: the browser view is there before the poses."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
