"""Where frames come from: cameras, network streams, video files, images.

Every source is a context manager and an iterable of ``Frame``::

    with open_source("in.mp4") as source:
        for frame in source:
            ...
"""

from livepose.sources.camera import open_camera
from livepose.sources.live import LiveSettings, LiveSource
from livepose.sources.open import FoundSource, find_sources, open_images, open_source, open_video
from livepose.sources.source import Excerpt, Source
from livepose.sources.video import VideoSource

__all__ = [
    "Excerpt",
    "FoundSource",
    "LiveSettings",
    "LiveSource",
    "Source",
    "VideoSource",
    "find_sources",
    "open_camera",
    "open_images",
    "open_source",
    "open_video",
]
