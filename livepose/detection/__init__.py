"""Finding people: ultralytics YOLO behind one door, ``open_detector``.

``load`` finds the file and the device, ``files`` reads what a file says without running anything,
``checkpoint`` builds, runs and writes networks in torch, ``openvino_engine`` runs them in OpenVINO.
``detector`` makes boxes of people of what a network says, at one scale, or now and then at two.
ultralytics is imported in ``checkpoint`` alone; neither it nor torch is loaded where the processor
runs a YOLO11 of ours.
"""

from livepose.detection.detector import (
    Detections,
    DetectionSchedule,
    Detector,
    TwoScales,
    detect_stills,
)
from livepose.detection.load import open_detector

__all__ = [
    "DetectionSchedule",
    "Detections",
    "Detector",
    "TwoScales",
    "detect_stills",
    "open_detector",
]
