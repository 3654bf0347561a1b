"""Finding people: ultralytics YOLO behind one door.

``open_detector`` is the door. Inside: ``official`` knows the published checkpoints, ``pickled``
reads them without running anything, ``checkpoint`` reads and writes our own, ``library`` imports
ultralytics quietly, ``conversion`` keeps networks that OpenVINO runs, ``letterbox`` fits pictures,
``openvino_engine``, ``cuda_engine`` and ``torch_engine`` run networks, ``suppression`` leaves one
box for each person, ``yolo`` joins them. ``small_people`` adds those of a larger input,
``schedule`` says when.
ultralytics is imported nowhere else in the live path, and neither it nor torch where a converted
detector is kept.
"""

from typing import TYPE_CHECKING, Any

from livepose.detection.detections import Detections, Detector
from livepose.detection.opening import open_detector
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
