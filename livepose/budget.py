"""What of a frame is done now, and what is not needed or put off.

``PoseSchedule`` says who needs a look of the pose network. ``Scheduler`` holds a budget of time,
and is told how long things took; it has no clock of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.smoothing import Smoother
from livepose.tracking import Changes, Thumbnail, Tracked

Mask = NDArray[np.bool_]

# -- who needs the pose network --------------------------------------------------------------------

NEWCOMER_S = 0.5  # for so long somebody is looked at in every frame
LONGEST_S = 0.25  # nobody is propagated for longer, however still: proofs and boxes need looks
LONGEST_MOVING_S = 0.08
"""Whoever moves is propagated for no longer: in a tenth of a second arms go where no filter
predicts them (8.9 % of the body in one frame of aerobics)."""
DOUBT_BY_NEIGHBOUR = 0.5
"""For each further person somebody is looked at only when a prediction has this part more of a
measurement's variance. On the scenes of the jitter study that adds 1 % to the error and nothing to
the lag; twice as much would add 1.7 %."""
FORGET_S = 2 * LONGEST_S  # away so long, a newcomer again: what takes their place may be a post
OVERLAP_IOU = 0.2  # whoever overlaps somebody looked at is looked at too, or poses get mixed up


class LastPosed(NamedTuple):
    """The last look at somebody."""

    time_s: float
    first_s: float  # when the first one was
    thumbnail: Thumbnail | None
    moved: bool  # something had changed there since the look before


class PoseSchedule:
    """Tells who is due for a look of the pose network, and what becomes of the others.

    Somebody is propagated while nothing changes in the image where they are, and while they move
    on as the ``smoother`` predicts, about as surely as the network would measure it. The more
    people share the network, the less it takes; one alone is looked at in every frame. With
    ``every_frame`` nobody is propagated, unless a budget of time asks for it.
    """

    def __init__(self, smoother: Smoother, every_frame: bool = False) -> None:
        self._smoother, self._every_frame = smoother, every_frame
        self.reset()

    def reset(self) -> None:
        """Forgets everybody."""
        self._last_posed: dict[int, LastPosed] = {}
        self._moved: dict[int, bool] = {}
        self._time_s = -np.inf
        self._changes: Changes | None = None

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
            if last is None:
                due[person] = self._moved[one] = True
                continue
            self._moved[one] = self._changes.within(tracked.boxes_xyxy[person], last.thumbnail)
            # Whether the next frame, a step later, would be too late.
            overdue = not 0.0 < time_s + step_s - last.time_s <= LONGEST_S
            if overdue or time_s - last.first_s < NEWCOMER_S:
                due[person] = True
            elif self._moved[one]:
                unforeseen = not last.moved or time_s - last.time_s > LONGEST_MOVING_S
                due[person] |= unforeseen or doubts[person] > allowed
        if due.any() and not due.all():
            near = boxes.iou(tracked.boxes_xyxy, tracked.boxes_xyxy[due]) > OVERLAP_IOU
            due |= near.any(axis=1)
        return due

    def posed(self, time_s: float, poses: Poses) -> None:
        """These people were found in this image."""
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
LEARNING_RATE = 0.2  # of costs, so that one hiccup does not change the plan


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

    ``other_s`` is tracking, cropping, decoding and smoothing; poses are ``ready_s`` old, and
    ``after_s`` older once they were drawn and shown.
    """

    def __init__(self) -> None:
        self.detect_s = self.other_s = self.ready_s = self.after_s = 0.0
        self._crops_s: dict[int, float] = {}

    def learn(self, name: str, took_s: float) -> None:
        """One of the attributes took so long."""
        setattr(self, name, _mixed(getattr(self, name), took_s))

    def learn_crops(self, count: int, took_s: float) -> None:
        """The network took so long for so many crops."""
        self._crops_s[count] = _mixed(self._crops_s.get(count, 0.0), took_s)

    def crops_s(self, count: int) -> float:
        """What so many crops should take: between known counts in a straight line."""
        if count <= 0 or not self._crops_s:
            return 0.0
        known = sorted(self._crops_s)
        took_s = np.interp(count, known, [self._crops_s[one] for one in known])
        return float(took_s) * max(1.0, count / known[-1])


def _mixed(old_s: float, new_s: float) -> float:
    return old_s + LEARNING_RATE * (new_s - old_s) if old_s else new_s


class Scheduler:
    """Decides frame by frame what fits into ``max_latency_ms`` and 1 / ``target_fps``, if given.

    The latency is from capture to the screen, or else to the poses. For each frame:
    ``should_skip`` says whether it is skipped; ``begin`` opens its account; ``may_detect`` and
    ``choose`` spend from it; ``end`` closes it. A frame that spent more than its share of the
    second leaves a debt, which the next frames pay; one that spent less a credit, of one share at
    most. Times are seconds of any one clock.
    """

    def __init__(
        self, max_latency_ms: float | None = None, target_fps: float | None = None
    ) -> None:
        self.limited = max_latency_ms is not None or target_fps is not None
        self._limit_s = math.inf if max_latency_ms is None else max_latency_ms / 1e3
        self._share_s = math.inf if target_fps is None else 1.0 / target_fps
        self.costs = Costs()
        self.reset()

    def reset(self) -> None:
        """A new stream begins; what things cost stays known."""
        self.dropped_work = DroppedWork()
        self._debt_s, self._left_s = 0.0, math.inf
        self._detected_before, self._detects, self._crops = False, False, 0
        self._put_off_s: float | None = None
        self._was_too_old = False
        self._taken_s = -math.inf
        self._turn = 0
        self._turns: dict[int, int] = {}

    def should_skip(self, time_s: float, age_s: float | None) -> bool:
        """Whether a live frame, ``age_s`` after its capture, is skipped.

        One that came too soon for the rate, or one that is too old already to be in time (but never
        two of those in a row).
        """
        paced = math.isfinite(self._share_s)
        too_soon = paced and 0.0 <= time_s - self._taken_s < EARLY * self._share_s
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
        if not self.limited or not due.any():
            return due
        wanted = int(due.sum())
        least = 0 if self._detects or self._debt_s > 0.0 else 1
        fitting = (n for n in range(wanted, least, -1) if self.costs.crops_s(n) <= self._left_s)
        self._crops = next(fitting, least)
        turns = np.array([self._turns.get(one, 0) for one in track_ids])
        order = np.argsort(turns, kind="stable")
        posed = order[due[order]][: self._crops]
        chosen = np.zeros(len(track_ids), dtype=bool)
        chosen[posed] = True
        turns[posed] = self._turn + 1 + np.arange(len(posed))
        self._turn += len(posed)
        self._turns = dict(zip(track_ids, turns.tolist(), strict=True))
        self.dropped_work.poses += wanted - self._crops
        return chosen

    def end(
        self, captured_s: float, start_s: float, end_s: float, stages_ms: Mapping[str, float]
    ) -> None:
        """The frame that was taken up at ``start_s`` is done at ``end_s``."""
        if not self.limited:
            return
        took_s, costs = end_s - start_s, self.costs
        detect_s, network_s = (stages_ms.get(name, 0.0) / 1e3 for name in ("detect", "network"))
        if self._detects:
            costs.learn("detect_s", detect_s)
        if self._crops:
            costs.learn_crops(self._crops, network_s)
        costs.learn("other_s", max(0.0, took_s - detect_s - network_s))
        costs.learn("ready_s", end_s - captured_s)
        owed_s = self._debt_s + took_s - self._share_s
        self._debt_s = min(max(-self._share_s, owed_s), MOST_DEBT * self._share_s)
        late = end_s - captured_s + costs.after_s > self._limit_s
        self.dropped_work.late += late or (math.isinf(self._limit_s) and self._debt_s > 0.0)

    def shown(self, age_s: float) -> None:
        """A frame is on the screen ``age_s`` after its capture, which counts as its latency."""
        self.costs.learn("after_s", max(0.0, age_s - self.costs.ready_s))
