"""Live outputs: poses in other programs, a look from a browser, a virtual camera, health.

Each of them is a sink whose ``write`` hands over and returns: a slow or absent reader costs the
pipeline nothing. Whoever reads too slowly gets the newest frame, and never an old one.
"""

from livepose.live.bus import open_bus
from livepose.live.health import Health, HealthServer
from livepose.live.view import BrowserView
from livepose.live.virtual_camera import VirtualCameraSink

__all__ = ["BrowserView", "Health", "HealthServer", "VirtualCameraSink", "open_bus"]
