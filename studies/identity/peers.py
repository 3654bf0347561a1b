"""ultralytics' ByteTrack on given detections."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from livepose.detection import Detections
from livepose.detection.library import ultralytics
from livepose.errors import UsageError
from livepose.tracking.motion import to_xywh
from studies.identity.scoring import Answer


class ByteTrack:
    """ultralytics' ``BYTETracker`` with the settings that it ships (bytetrack.yaml)."""

    name = "ultralytics ByteTrack"

    def __init__(self) -> None:
        package = ultralytics()
        try:
            import lap  # noqa: F401  # else ultralytics would try to install it
        except ImportError as error:
            raise UsageError(
                "ultralytics' ByteTrack needs the package lap: pip install 'livepose[eval]'"
            ) from error
        from ultralytics.trackers.byte_tracker import BYTETracker
        from ultralytics.utils.checks import check_yaml

        settings = package.YAML.load(check_yaml("bytetrack.yaml"))
        self._tracker = BYTETracker(SimpleNamespace(**settings))

    def __call__(self, detections: Detections) -> Answer:
        """Who is who in the next frame."""
        rows = self._tracker.update(_Rows(detections.boxes_xyxy, detections.scores))
        rows = np.asarray(rows, dtype=np.float64).reshape(-1, 8)
        return Answer(rows[:, :4], rows[:, 4].astype(np.int64))


class _Rows:
    """Detections in the form that ultralytics' trackers take."""

    def __init__(self, boxes_xyxy: Any, scores: Any) -> None:
        self.xyxy, self.conf = np.asarray(boxes_xyxy), np.asarray(scores)
        self.xywh, self.cls = to_xywh(self.xyxy), np.zeros(len(self.conf))

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, which: Any) -> "_Rows":
        return _Rows(self.xyxy[which], self.conf[which])
