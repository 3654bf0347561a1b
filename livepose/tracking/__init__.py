"""Tracking: who is who from one picture to the next, and when a detection is due.

``Tracker`` is the whole of it for others. Inside, ``tracks`` holds everybody in arrays,
``associate`` gives detections to tracks, ``identity`` takes poses in and corrects by them id
switches and duplicates, ``reid`` knows who comes back; the kernels predict and follow boxes, judge
and mend poses, and say when the detector may rest. ``scenecut`` tells where a clip is cut, and
where a picture differs from an earlier one. Times are seconds everywhere, never frames.
"""

from livepose.tracking.scenecut import Changes, ShotBoundaries, Thumbnail
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracker import Tracked, Tracker

__all__ = ["Changes", "ShotBoundaries", "Thumbnail", "Tracked", "Tracker", "TrackerSettings"]
