"""Where results go: video, JSON Lines, CSV, OpenPose and COCO files, pictures.

``docs/output-format.md`` has the schema of each.
"""

from livepose.sinks._lines import Rotation
from livepose.sinks.claims import check_outputs
from livepose.sinks.coco import CocoSink
from livepose.sinks.csv_file import CsvSink
from livepose.sinks.jsonl import JsonLinesSink, make_header
from livepose.sinks.openpose import OpenPoseSink
from livepose.sinks.pictures import ImageSink
from livepose.sinks.protocol import OutputClosed, Sink
from livepose.sinks.threshold import above
from livepose.sinks.video import VideoSink

__all__ = [
    "CocoSink",
    "CsvSink",
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
