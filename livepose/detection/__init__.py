"""Finding people: ultralytics YOLO behind one door.

``open_detector`` is the door. Inside: ``official`` knows the published checkpoints, ``stored`` and
``pickled`` read files without running anything, ``checkpoint`` builds and writes them in torch,
``library`` imports ultralytics quietly, ``letterbox`` fits pictures, ``openvino_engine``,
``torch_engine`` run networks, ``yolo`` joins them and leaves one box for each
person. ``small_people`` adds those of a larger input, ``schedule`` says when.
ultralytics is imported nowhere else in the live path, and neither it nor torch where the processor
runs a YOLO11 of ours.
"""

from typing import TYPE_CHECKING, Any

from livepose.detection.opening import open_detector
from livepose.detection.protocol import Detections, Detector
from livepose.detection.schedule import DetectionSchedule, detect_stills
from livepose.detection.small_people import TwoScaleDetector, TwoScales

if TYPE_CHECKING:
    from livepose.detection.checkpoint import save_detector

__all__ = [
    "DetectionSchedule",
    "Detections",
    "Detector",
    "TwoScaleDetector",
    "TwoScales",
    "detect_stills",
    "open_detector",
    "save_detector",
]


def __getattr__(name: str) -> Any:
    """Loads what needs torch when it is first asked for."""
    if name != "save_detector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from livepose.detection.checkpoint import save_detector

    return save_detector
