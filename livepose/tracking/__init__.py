"""Tracking: who is who from one picture to the next, and when the detector may rest.

``Tracker`` is the whole of it for others. Inside, one noun a file: ``tracks`` holds everybody in
arrays, ``motion`` predicts boxes, ``similarity`` compares, ``assignment`` pairs, ``associate``
gives detections to tracks, ``following`` moves boxes by keypoints, ``identity`` mends mix-ups by
pose, ``joints`` mends swaps of left and right and jumps, ``appearance`` knows who comes back,
``rest`` says when the detector is due, ``cuts`` sees where a film is cut. Times are seconds
everywhere, never frames.
"""

from livepose.tracking.scenecut import ShotBoundaries
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracker import Tracked, Tracker

__all__ = ["ShotBoundaries", "Tracked", "Tracker", "TrackerSettings"]
