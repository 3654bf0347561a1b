"""What of a frame is done now, and what is not needed or put off.

``PoseSchedule`` says who needs a look of the pose network. ``Scheduler`` holds a budget of time,
and is told how long things took; it has no clock of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.smoothing import PRESETS, Smoother
from livepose.tracking import Changes, Thumbnail, Tracked

Mask = NDArray[np.bool_]

# -- who needs the pose network --------------------------------------------------------------------

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


class LastPosed(NamedTuple):
    """The last look at somebody."""

    time_s: float
    first_s: float  # when the first one was
    thumbnail: Thumbnail | None
    moved: bool  # something had changed there since the look before

    def is_old(self, time_s: float, step_s: float) -> bool:
        """Whether the next frame, a step later, would be too late; at first everything is."""
        in_time = 0.0 < time_s + step_s - self.time_s <= LONGEST_S
        return not in_time or time_s - self.first_s < NEWCOMER_S


class PoseSchedule:
    """Tells who is due for a look of the pose network, and what becomes of the others.

    Somebody is propagated while nothing changes in the image where they are, and while they move
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
        self._last_posed: dict[int, LastPosed] = {}
        self._moved: dict[int, bool] = {}
        self._time_s = -np.inf
        self._changes: Changes | None = None
        if self._learns_apart:
            self._smoother.reset()

    def due(self, time_s: float, tracked: Tracked, image_bgr: ImageBgr) -> Mask:
        """Which of these people (P,) are to be looked at in this image."""
        step_s, self._time_s = time_s - self._time_s, time_s
        self._moved, self._changes = {}, None
        if self._every_frame or len(tracked) < 2:
            return np.ones(len(tracked), dtype=bool)
        self._changes = Changes(image_bgr)
        doubts = self._smoother.doubts(time_s, tracked.track_ids)
        allowed = DOUBT_BY_NEIGHBOUR * (len(tracked) - 1)
        due = np.isinf(doubts)
        for person, one in enumerate(tracked.track_ids.tolist()):
            last = self._last_posed.get(one)
            moves = last is None or self._changes.within(tracked.boxes_xyxy[person], last.thumbnail)
            self._moved[one] = moves
            if last is None or last.is_old(time_s, step_s):
                due[person] = True
            elif moves:
                unforeseen = not last.moved or time_s - last.time_s > LONGEST_MOVING_S
                due[person] |= unforeseen or doubts[person] > allowed
        if due.any() and not due.all():
            near = boxes.iou(tracked.boxes_xyxy, tracked.boxes_xyxy[due]) > OVERLAP_IOU
            due |= near.any(axis=1)
        return due

    def posed(self, time_s: float, poses: Poses) -> None:
        """These people were found in this image, not smoothed yet."""
        if self._learns_apart:
            self._smoother.apply(time_s, poses)
        thumbnail = None if self._changes is None else self._changes.thumbnail
        kept = {
            one: last for one, last in self._last_posed.items() if time_s - last.time_s < FORGET_S
        }
        for one in poses.track_ids.tolist():
            first_s = kept[one].first_s if one in kept else time_s
            kept[one] = LastPosed(time_s, first_s, thumbnail, self._moved.get(one, True))
        self._last_posed = kept

    def propagate(self, time_s: float, poses: Poses, waiting: Poses, overdue: Mask) -> Poses:
        """These people and those who were not looked at, where they should be, sorted by id."""
        both = poses.joined(self._smoother.propagate(time_s, waiting, overdue))
        return both.select(np.argsort(both.track_ids, kind="stable"))


# -- a budget of time ------------------------------------------------------------------------------

LONGEST_DELAY_S = 1.0  # a detection that is due is put off for so long at most
EARLY = 0.75  # after less than this part of its interval a frame of a faster camera is dropped
MOST_DEBT = 8.0  # frames, so that one hiccup is not paid off for seconds
FRAMES_REMEMBERED = 8  # between their poses and the screen
LEARNING_RATE = 0.2  # of costs, so that one hiccup does not change the plan


@dataclass(frozen=True, slots=True)
class Budget:
    """What is to be held; None is no limit."""

    max_latency_ms: float | None = None  # from capture to the screen, or else to the poses
    target_fps: float | None = None  # neither fewer than can be helped, nor more

    def __post_init__(self) -> None:
        for name in ("max_latency_ms", "target_fps"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise ValueError(f"{name}: expected a positive number or None, got {value}")

    def __bool__(self) -> bool:
        return self.max_latency_ms is not None or self.target_fps is not None


@dataclass(slots=True)
class DroppedWork:
    """What holding the budget has cost so far."""

    frames: int = 0  # dropped
    detections: int = 0  # frames in which the detector was due and had to wait
    poses: int = 0  # due, and predicted instead
    late: int = 0  # frames that took longer than the budget all the same

    def words(self) -> list[str]:
        """One short line for each thing that was given up."""
        told = {
            "frames let go": self.frames,
            "detections put off": self.detections,
            "poses predicted": self.poses,
            "frames over budget": self.late,
        }
        return [f"{count} {what}" for what, count in told.items() if count]


class Costs:
    """Seconds of a detection, of batches of crops, and of everything else in a frame; 0: unknown.

    ``other_s`` is tracking, cropping, decoding and smoothing; ``after_s`` the way from the poses to
    the screen: waiting, drawing, showing.
    """

    def __init__(self) -> None:
        self.detect_s = self.other_s = self.after_s = 0.0
        self._crops_s: dict[int, float] = {}

    def learn_detection(self, took_s: float) -> None:
        """A detection took so long."""
        self.detect_s = _mixed(self.detect_s, took_s)

    def learn_crops(self, count: int, took_s: float) -> None:
        """The network took so long for so many crops."""
        self._crops_s[count] = _mixed(self._crops_s.get(count, 0.0), took_s)

    def crops_s(self, count: int) -> float:
        """What so many crops should take; 0 while nothing is known.

        Between known counts in a straight line, beyond them in proportion.
        """
        if count <= 0 or not self._crops_s:
            return 0.0
        known = sorted(self._crops_s)
        took_s = np.interp(count, known, [self._crops_s[one] for one in known])
        return float(took_s) * max(1.0, count / known[-1])

    def most_crops(self, count: int, budget_s: float) -> int:
        """The most crops, up to ``count``, that fit into the budget; 0 if not even one does."""
        fitting = (n for n in range(count, 0, -1) if self.crops_s(n) <= budget_s)
        return next(fitting, 0)


def _mixed(old_s: float, new_s: float) -> float:
    return old_s + LEARNING_RATE * (new_s - old_s) if old_s else new_s


class Scheduler:
    """Decides frame by frame; the pipeline asks and tells how long things took.

    For each frame: ``should_skip`` says whether it is skipped; ``begin`` opens its account;
    ``may_detect`` and ``choose`` spend from it; ``end`` closes it. A frame that spent more than
    its share of ``target_fps`` leaves a debt, which the next frames pay; one that spent less
    leaves a credit, of one share at most. Without a budget everything is allowed.

    Times are seconds of any one clock; the scheduler looks at none.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self._share_s = 1.0 / self.budget.target_fps if self.budget.target_fps else np.inf
        self._limit_s = (self.budget.max_latency_ms or np.inf) / 1e3
        self.costs = Costs()
        self.reset()

    def reset(self) -> None:
        """A new stream begins; what things cost stays known."""
        self.dropped_work = DroppedWork()
        self._ready_s: dict[float, float] = {}
        self._debt_s, self._left_s = 0.0, np.inf
        self._detected_before, self._detects, self._crops = False, False, 0
        self._put_off_s: float | None = None
        self._was_too_old = False
        self._taken_s = -np.inf
        self._turn = 0
        self._turns: dict[int, int] = {}

    def should_skip(self, time_s: float, age_s: float | None) -> bool:
        """Whether a live frame, ``age_s`` after its capture, is skipped.

        One that came too soon for ``target_fps``, or one that is too old already to be in time
        (but never two of those in a row).
        """
        too_soon = bool(self.budget.target_fps) and (
            0.0 <= time_s - self._taken_s < EARLY * self._share_s
        )
        too_old = not too_soon and not self._was_too_old and (age_s or 0.0) > self._limit_s
        self._was_too_old = too_old
        if too_soon or too_old:
            self.dropped_work.frames += 1
        else:
            self._taken_s = time_s
        return too_soon or too_old

    def begin(self, age_s: float = 0.0) -> None:
        """A frame is taken up, ``age_s`` after its capture."""
        in_time_s = self._limit_s - age_s - self.costs.after_s
        self._left_s = min(self._share_s - self._debt_s, in_time_s) - self.costs.other_s
        self._detected_before, self._detects, self._crops = self._detects, False, 0

    def may_detect(self, time_s: float) -> bool:
        """Whether the detector, which is due, looks at this frame."""
        if not self.budget:
            return True
        detect_s = self.costs.detect_s
        fits = detect_s + (self.costs.crops_s(1) if self._turns else 0.0) <= self._left_s
        since_s = time_s if self._put_off_s is None else self._put_off_s
        # Never longer than a while, the dearer the longer: without the detector newcomers would
        # never be seen. Where it leaves no time for a pose, they take turns frame by frame.
        patience_s = min(LONGEST_DELAY_S, 4.0 * detect_s)
        waits = 0.0 <= time_s - since_s < patience_s or self._detected_before
        self._detects = fits or not waits
        if self._detects:
            self._put_off_s = None
            self._left_s -= detect_s
        else:
            self._put_off_s = since_s
            self.dropped_work.detections += 1
        return self._detects

    def choose(self, track_ids: Sequence[int], due: Mask | None = None) -> Mask:
        """Whose poses are estimated in this frame, of those who are ``due`` (P,), all by default.

        Those who wait longest first, newcomers most; at least one, unless a detection or a debt has
        used up the frame.
        """
        due = np.ones(len(track_ids), dtype=bool) if due is None else due
        if not self.budget or not due.any():
            return due
        least = 0 if self._detects or self._debt_s > 0.0 else 1
        most = max(least, self.costs.most_crops(int(due.sum()), self._left_s))
        turns = np.array([self._turns.get(one, 0) for one in track_ids])
        order = np.argsort(turns, kind="stable")
        posed = order[due[order]][:most]
        chosen = np.zeros(len(track_ids), dtype=bool)
        chosen[posed] = True
        turns[posed] = self._turn + 1 + np.arange(len(posed))
        self._turn += len(posed)
        self._turns = dict(zip(track_ids, turns.tolist(), strict=True))
        self._crops = len(posed)
        self.dropped_work.poses += int(due.sum()) - self._crops
        return chosen

    def end(
        self, captured_s: float, start_s: float, end_s: float, stages_ms: Mapping[str, float]
    ) -> None:
        """The frame that was taken up at ``start_s`` is done at ``end_s``."""
        if not self.budget:
            return
        took_s, costs = end_s - start_s, self.costs
        detect_s, network_s = (stages_ms.get(name, 0.0) / 1e3 for name in ("detect", "network"))
        if self._detects:
            costs.learn_detection(detect_s)
        if self._crops:
            costs.learn_crops(self._crops, network_s)
        costs.other_s = _mixed(costs.other_s, max(0.0, took_s - detect_s - network_s))
        self._ready_s[captured_s] = end_s
        while len(self._ready_s) > FRAMES_REMEMBERED:  # nobody says when they are shown
            self._ready_s.pop(next(iter(self._ready_s)))
        if self.budget.target_fps is not None:
            owed_s = self._debt_s + took_s - self._share_s
            self._debt_s = min(max(-self._share_s, owed_s), MOST_DEBT * self._share_s)
        if self.budget.max_latency_ms is not None:
            late = end_s - captured_s + costs.after_s > self._limit_s
        else:
            late = self._debt_s > 0.0
        self.dropped_work.late += late

    def shown(self, captured_s: float, shown_s: float) -> None:
        """The frame captured then is on the screen now: the way there counts as latency too."""
        ready_s = self._ready_s.pop(captured_s, None)
        if ready_s is not None:
            self.costs.after_s = _mixed(self.costs.after_s, shown_s - ready_s)
