"""Finding people: ultralytics YOLO behind one door.

``open_detector`` is the door. Inside: ``official`` knows the published checkpoints, ``pickled``
reads them without running anything, ``checkpoint`` reads and writes our own, ``library`` imports
ultralytics quietly, ``letterbox`` fits pictures, ``engines`` run networks, ``yolo`` joins them.
ultralytics is imported nowhere else in the live path.
"""

from livepose.detector.checkpoint import save_detector
from livepose.detector.detections import Detections, Detector
from livepose.detector.opening import open_detector

__all__ = ["Detections", "Detector", "open_detector", "save_detector"]
