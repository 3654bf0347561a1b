"""Tracking: who is who from one picture to the next, and when a detection is due.

``Tracker`` is the whole of it for others. Inside, one noun a file: ``tracks`` holds everybody in
arrays, ``motion`` predicts boxes and moves them by keypoints, ``similarity`` compares,
``associate`` gives detections to tracks, ``observation`` takes poses in, ``identity`` corrects id
switches and duplicates by pose, ``joints`` swaps of left and right and jumps, ``reid`` knows who
comes back, ``scenecut`` sees where a film is cut. Times are seconds everywhere, never frames.
"""

from livepose.tracking.scenecut import ShotBoundaries
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracker import Tracked, Tracker

__all__ = ["ShotBoundaries", "Tracked", "Tracker", "TrackerSettings"]
