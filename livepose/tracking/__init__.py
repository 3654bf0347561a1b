"""Tracking: who is who from one picture to the next, and when a detection is due.

``Tracker`` is the whole of it for others. Inside, one noun a file: ``tracks`` holds everybody in
arrays, ``motion`` predicts boxes and moves them by keypoints, ``similarity`` compares,
``associate`` gives detections to tracks, ``observation`` takes poses in, ``identity`` corrects id
switches and duplicates by pose, ``joints`` swaps of left and right and jumps, ``reid`` knows who
comes back, ``changes`` tells where a picture differs from an earlier one, ``scenecut`` where a
clip is cut. Times are seconds everywhere, never frames.
"""

from livepose.tracking.changes import Changes, Thumbnail
from livepose.tracking.scenecut import ShotBoundaries
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracker import Tracked, Tracker

__all__ = ["Changes", "ShotBoundaries", "Thumbnail", "Tracked", "Tracker", "TrackerSettings"]
