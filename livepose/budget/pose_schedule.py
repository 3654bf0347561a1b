"""Who needs a look of the pose network in this frame, and who may be propagated."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.smoothing import PRESETS, Smoother
from livepose.tracking import Changes, Thumbnail, Tracked

Mask = NDArray[np.bool_]

NEWCOMER_S = 0.5
"""For so long somebody is looked at in every frame."""
LONGEST_S = 0.25
"""Nobody is propagated for longer, however still: proofs and boxes need looks."""
LONGEST_MOVING_S = 0.08
"""Whoever moves is propagated for no longer: in a tenth of a second arms go where no filter
predicts them (8.9 % of the body in one frame of aerobics)."""
DOUBT_BY_NEIGHBOUR = 0.5
"""For each further person somebody is looked at only when a prediction has this part more of a
measurement's variance. On the scenes of the jitter study that adds 1 % to the error and nothing to
the lag; twice as much would add 1.7 %."""
FORGET_S = 2 * LONGEST_S
"""Whoever was away for so long is a newcomer again: what takes their place may be a post."""
OVERLAP_IOU = 0.2
"""Whoever stands before somebody who is looked at is looked at too, or poses would be mixed up."""


class Look(NamedTuple):
    """The last look at somebody."""

    time_s: float
    first_s: float
    """When the first one was."""
    thumbnail: Thumbnail | None
    moved: bool
    """Something had changed there since the look before."""

    def is_old(self, time_s: float, step_s: float) -> bool:
        """Whether the next frame, a step later, would be too late; at first everything is."""
        in_time = 0.0 < time_s + step_s - self.time_s <= LONGEST_S
        return not in_time or time_s - self.first_s < NEWCOMER_S


class PoseSchedule:
    """Tells who is due for a look of the pose network, and what becomes of the others.

    Somebody is propagated while nothing changes in the picture where they are, and while they move
    on as the filter predicts, about as surely as the network would measure it. The more people
    share the network, the less it takes; one alone is looked at in every frame.

    Parameters
    ----------
    smoother : Smoother
        The filter of the stream. One that does not predict has everybody looked at.
    every_frame : bool
        Nobody is propagated, unless a budget of time asks for it.
    """

    def __init__(self, smoother: Smoother, every_frame: bool = False) -> None:
        predicts = smoother.method in PRESETS
        self._smoother = smoother if predicts else Smoother()
        self._learns_apart = not predicts
        self._every_frame = every_frame or not predicts
        self.reset()

    def reset(self) -> None:
        """Forgets everybody."""
        self._looks: dict[int, Look] = {}
        self._moved: dict[int, bool] = {}
        self._time_s = -np.inf
        self._changes: Changes | None = None
        if self._learns_apart:
            self._smoother.reset()

    def due(self, time_s: float, tracked: Tracked, image_bgr: ImageBgr) -> Mask:
        """Which of these people (P,) are to be looked at in this picture."""
        step_s, self._time_s = time_s - self._time_s, time_s
        self._moved, self._changes = {}, None
        if self._every_frame or len(tracked) < 2:
            return np.ones(len(tracked), dtype=bool)
        self._changes = Changes(image_bgr)
        doubts = self._smoother.doubts(time_s, tracked.track_ids)
        due = np.isinf(doubts)
        for person, one in enumerate(tracked.track_ids.tolist()):
            look = self._looks.get(one)
            moves = look is None or self._changes.within(tracked.boxes_xyxy[person], look.thumbnail)
            self._moved[one] = moves
            if look is None or look.is_old(time_s, step_s):
                due[person] = True
            elif moves:
                unforeseen = not look.moved or time_s - look.time_s > LONGEST_MOVING_S
                allowed = DOUBT_BY_NEIGHBOUR * (len(tracked) - 1)
                due[person] |= unforeseen or doubts[person] > allowed
        if due.any() and not due.all():
            near = boxes.iou(tracked.boxes_xyxy, tracked.boxes_xyxy[due]) > OVERLAP_IOU
            due |= near.any(axis=1)
        return due

    def looked_at(self, time_s: float, poses: Poses) -> None:
        """These people were found in this picture, not smoothed yet."""
        if self._learns_apart:
            self._smoother.apply(time_s, poses)
        thumbnail = None if self._changes is None else self._changes.thumbnail
        kept = {one: look for one, look in self._looks.items() if time_s - look.time_s < FORGET_S}
        for one in poses.track_ids.tolist():
            first_s = kept[one].first_s if one in kept else time_s
            kept[one] = Look(time_s, first_s, thumbnail, self._moved.get(one, True))
        self._looks = kept

    def propagate(self, time_s: float, poses: Poses, waiting: Poses, overdue: Mask) -> Poses:
        """These people and those who were not looked at, where they should be, sorted by id."""
        both = poses.joined(self._smoother.propagate(time_s, waiting, overdue))
        return both.select(np.argsort(both.track_ids, kind="stable"))
