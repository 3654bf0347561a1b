"""Tracking: who is who from one image to the next, and when a detection is due.

``Tracker`` is the whole of it for others. Inside, ``tracks`` holds everybody in arrays and moves
their boxes, ``associate`` gives detections to tracks, ``identity`` corrects by poses id switches
and duplicates, ``reid`` knows who comes back; the kernels in ``joints`` mend poses and ask what
they prove, and ``_kernels`` runs them for each image. ``scenecut`` tells where a clip is cut, and
where an image differs from an earlier one. Times are seconds everywhere, never frames, and a body
scale is the root of a box's area, about a metre. Where a rule's numbers name no source,
docs/identity.md has the measurement.
"""

from livepose.tracking.scenecut import Changes, ShotBoundaries, Thumbnail
from livepose.tracking.tracker import Tracked, Tracker, TrackerSettings

__all__ = ["Changes", "ShotBoundaries", "Thumbnail", "Tracked", "Tracker", "TrackerSettings"]
