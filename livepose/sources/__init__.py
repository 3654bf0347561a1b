"""Where frames come from: cameras, network streams, video files, pictures.

Every source is a context manager and an iterable of ``Frame``::

    with open_source("in.mp4") as source:
        for frame in source:
            ...
"""

from livepose.sources.animation import AnimationSource
from livepose.sources.camera import open_camera
from livepose.sources.decoding import read_image
from livepose.sources.excerpt import Excerpt
from livepose.sources.find import FoundSource, find_sources
from livepose.sources.images import ImageSource
from livepose.sources.live import LiveSettings, LiveSource
from livepose.sources.open import open_address, open_images, open_source, open_video
from livepose.sources.protocol import Source
from livepose.sources.stream import open_stream
from livepose.sources.video import VideoSource

__all__ = [
    "AnimationSource",
    "Excerpt",
    "FoundSource",
    "ImageSource",
    "LiveSettings",
    "LiveSource",
    "Source",
    "VideoSource",
    "find_sources",
    "open_address",
    "open_camera",
    "open_images",
    "open_source",
    "open_stream",
    "open_video",
    "read_image",
]
