"""Finding people: ultralytics YOLO behind one door.

``open_detector`` is the door. Inside: ``official`` knows the published checkpoints, ``pickled``
reads them without running anything, ``checkpoint`` reads and writes our own, ``library`` imports
ultralytics quietly, ``conversion`` keeps networks that OpenVINO runs, ``letterbox`` fits pictures,
``engines`` and ``torch_engine`` run networks, ``suppression`` leaves one box for each person,
``yolo`` joins them. ``closer`` adds the small people of a larger input, ``looks`` says when.
ultralytics is imported nowhere else in the live path, and neither it nor torch where a converted
detector is kept.
"""

from typing import TYPE_CHECKING, Any

from livepose.detection.closer import CloserLook, LooksCloser
from livepose.detection.detections import Detections, Detector
from livepose.detection.looks import Looks
from livepose.detection.opening import open_detector

if TYPE_CHECKING:
    from livepose.detection.checkpoint import save_detector

__all__ = [
    "CloserLook",
    "Detections",
    "Detector",
    "Looks",
    "LooksCloser",
    "open_detector",
    "save_detector",
]


def __getattr__(name: str) -> Any:
    """Loads what needs torch when it is first asked for."""
    if name != "save_detector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from livepose.detection.checkpoint import save_detector

    return save_detector
