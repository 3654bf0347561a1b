"""MediaPipe Pose at its defaults (one person, video mode, the "full" model).

The package wants another NumPy and protobuf than livepose, so it lives in a folder of its own
(``make benchmarks`` puts it there) whose packages come after livepose's. Version 0.10.21 is the
last that carries its models; later ones download them.
"""

import os
import sys
from pathlib import Path
from typing import Any

import cv2

from benchmarks.baselines import AbsentError, Opened
from livepose.frame import Frame

FOLDER = Path(sys.prefix) / "peers"
ACCURACY = "not comparable: 33 other landmarks; not measured on COCO here"


class MediaPipe:
    """``mp.solutions.pose.Pose().process(frame)``."""

    def __init__(self, pose: Any) -> None:
        self._pose = pose

    def before_round(self) -> None:
        """Nothing: it has its own threads."""

    def take(self, frame: Frame) -> int:
        """1 where it sees somebody; it never sees a second person."""
        rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
        return int(self._pose.process(rgb).pose_landmarks is not None)


def solutions() -> Any:
    """MediaPipe's ready-made solutions.

    Raises
    ------
    AbsentError
        When the package is not there, or carries no models.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    try:
        import mediapipe
    except ImportError as error:
        raise AbsentError(
            f"mediapipe cannot be imported ({error}); 'make benchmarks' installs it"
        ) from None
    if not hasattr(mediapipe, "solutions"):
        raise AbsentError(
            f"mediapipe {mediapipe.__version__} carries no model and would download one; 0.10.21 "
            "is the last version that does"
        )
    return mediapipe.solutions


def open_mediapipe() -> Opened:
    """MediaPipe Pose, if it is installed."""
    try:
        pose = solutions().pose.Pose()
    except (RuntimeError, ValueError, OSError, AttributeError) as error:  # also another protobuf
        raise AbsentError(f"mediapipe does not start: {error}") from None
    return Opened(MediaPipe(pose), "its own, BlazePose full", ACCURACY, "finds one person at most")
