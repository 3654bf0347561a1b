"""Where results go: video, JSON Lines, OpenPose and COCO files, pictures. Tables: ``results``.

``docs/output-format.md`` has the schema of each.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livepose.sinks._lines import Rotation
    from livepose.sinks.claims import check_outputs
    from livepose.sinks.coco import CocoSink
    from livepose.sinks.jsonl import JsonLinesSink, make_header
    from livepose.sinks.openpose import OpenPoseSink
    from livepose.sinks.pictures import ImageSink
    from livepose.sinks.protocol import OutputClosed, Sink
    from livepose.sinks.threshold import above
    from livepose.sinks.video import VideoSink

__all__ = [
    "CocoSink",
    "ImageSink",
    "JsonLinesSink",
    "OpenPoseSink",
    "OutputClosed",
    "Rotation",
    "Sink",
    "VideoSink",
    "above",
    "check_outputs",
    "make_header",
]

_HOMES = {
    "CocoSink": "livepose.sinks.coco",
    "ImageSink": "livepose.sinks.pictures",
    "JsonLinesSink": "livepose.sinks.jsonl",
    "OpenPoseSink": "livepose.sinks.openpose",
    "OutputClosed": "livepose.sinks.protocol",
    "Rotation": "livepose.sinks._lines",
    "Sink": "livepose.sinks.protocol",
    "VideoSink": "livepose.sinks.video",
    "above": "livepose.sinks.threshold",
    "check_outputs": "livepose.sinks.claims",
    "make_header": "livepose.sinks.jsonl",
}


def __getattr__(name: str) -> Any:
    """Loads a sink when it is first asked for: what is checked at once needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
