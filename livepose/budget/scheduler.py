"""What is done in this frame, and what has to wait, so that a budget of time is held."""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LONGEST_REST_S = 1.0  # a detection that is due is put off for so long at most
EARLY = 0.75  # after less than this part of its interval a frame of a faster camera is dropped
MOST_DEBT = 8.0  # frames, so that one hiccup is not paid off for seconds
FRAMES_REMEMBERED = 8  # between their poses and the screen


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
    """Seconds of a detection, of batches of crops, and of everything else in a frame.

    New figures count for ``RATE`` of the estimate, so that one hiccup does not change the plan.
    """

    RATE = 0.2

    def __init__(self) -> None:
        self.detect_s: float | None = None
        self.rest_s = 0.0
        """Tracking, cropping, decoding, smoothing."""
        self.after_s = 0.0
        """From the poses to the screen: waiting, drawing, showing."""
        self._crops_s: dict[int, float] = {}

    def learn_detection(self, took_s: float) -> None:
        """A detection took so long."""
        self.detect_s = self._mixed(self.detect_s, took_s)

    def learn_crops(self, count: int, took_s: float) -> None:
        """The network took so long for so many crops."""
        self._crops_s[count] = self._mixed(self._crops_s.get(count), took_s)

    def learn_rest(self, took_s: float) -> None:
        """Everything else in the frame took so long."""
        self.rest_s = self._mixed(self.rest_s or None, took_s)

    def learn_after(self, took_s: float) -> None:
        """From the poses to the screen it took so long."""
        self.after_s = self._mixed(self.after_s or None, took_s)

    def crops_s(self, count: int) -> float:
        """What so many crops should take; 0 while nothing is known.

        Between known counts in a straight line, beyond them in proportion.
        """
        if count <= 0 or not self._crops_s:
            return 0.0
        known = sorted(self._crops_s)
        at = bisect.bisect_left(known, count)
        if at == len(known):
            return self._crops_s[known[-1]] * count / known[-1]
        above = known[at]
        if above == count or at == 0:
            return self._crops_s[above]
        below = known[at - 1]
        share = (count - below) / (above - below)
        return self._crops_s[below] + share * (self._crops_s[above] - self._crops_s[below])

    def most_crops(self, count: int, budget_s: float) -> int:
        """The most crops, up to ``count``, that fit into the budget; 0 if not even one does."""
        fitting = (n for n in range(count, 0, -1) if self.crops_s(n) <= budget_s)
        return next(fitting, 0)

    def _mixed(self, old_s: float | None, new_s: float) -> float:
        return new_s if old_s is None else old_s + self.RATE * (new_s - old_s)


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
        self.costs = Costs()
        self.reset()

    def reset(self) -> None:
        """A new stream begins; what things cost stays known."""
        self.dropped_work = DroppedWork()
        self._ready_s: dict[float, float] = {}
        self._debt_s = 0.0
        self._left_s = np.inf
        self._detected_before, self._detects, self._crops = False, False, 0
        self._put_off_s: float | None = None
        self._was_too_old = False
        self._taken_s: float | None = None
        self._turn = 0
        self._turns: dict[int, int] = {}

    # -- which frames ------------------------------------------------------------------------------

    def should_skip(self, time_s: float, age_s: float | None) -> bool:
        """Whether a live frame, ``age_s`` after its capture, is skipped.

        One that came too soon for ``target_fps``, or one that is too old already to be in time
        (but never two of those in a row).
        """
        too_soon = too_old = False
        if self.budget.target_fps is not None and self._taken_s is not None:
            too_soon = 0.0 <= time_s - self._taken_s < EARLY / self.budget.target_fps
        if self.budget.max_latency_ms is not None and age_s is not None and not too_soon:
            too_old = not self._was_too_old and age_s * 1e3 > self.budget.max_latency_ms
        self._was_too_old = too_old
        if too_soon or too_old:
            self.dropped_work.frames += 1
            return True
        self._taken_s = time_s
        return False

    # -- what is done in a frame -------------------------------------------------------------------

    def begin(self, age_s: float = 0.0) -> None:
        """A frame is taken up, ``age_s`` after its capture."""
        left_s = np.inf
        if self.budget.target_fps is not None:
            left_s = 1.0 / self.budget.target_fps - self._debt_s
        if self.budget.max_latency_ms is not None:
            in_time_s = self.budget.max_latency_ms / 1e3 - age_s - self.costs.after_s
            left_s = min(left_s, in_time_s)
        self._left_s = left_s - self.costs.rest_s
        self._detected_before, self._detects, self._crops = self._detects, False, 0

    def may_detect(self, time_s: float) -> bool:
        """Whether the detector, which is due, looks at this frame."""
        if not self.budget:
            return True
        a_pose_s = self.costs.crops_s(1) if self._turns else 0.0
        fits = (self.costs.detect_s or 0.0) + a_pose_s <= self._left_s
        since_s = time_s if self._put_off_s is None else self._put_off_s
        # Never longer than a while: without the detector newcomers would never be seen.
        # Where it leaves no time for a pose, it takes turns with them frame by frame.
        patience_s = min(
            LONGEST_REST_S, 4.0 * (self.costs.detect_s or 0.0)
        )  # the dearer, the longer
        waits = 0.0 <= time_s - since_s < patience_s or self._detected_before
        if fits or not waits:
            self._put_off_s = None
            self._detects = True
            self._left_s -= self.costs.detect_s or 0.0
            return True
        self._put_off_s = since_s
        self.dropped_work.detections += 1
        return False

    def choose(self, track_ids: Sequence[int], due: Mask | None = None) -> Mask:
        """Whose poses are estimated in this frame, of those who are ``due`` (P,), all by default.

        Those who wait longest first, newcomers most; at least one, unless a detection or a debt has
        used up the frame.
        """
        count = len(track_ids)
        due = np.ones(count, dtype=bool) if due is None else due
        if not self.budget or not due.any():
            return due
        most = self.costs.most_crops(int(due.sum()), self._left_s)
        spent = self._detects or self._debt_s > 0.0
        most = max(most, 0 if spent else 1)
        turns = np.array([self._turns.get(one, 0) for one in track_ids])
        order = np.argsort(turns, kind="stable")
        looked = order[due[order]][:most]
        chosen = np.zeros(count, dtype=bool)
        chosen[looked] = True
        turns[looked] = self._turn + 1 + np.arange(len(looked))
        self._turn += len(looked)
        self._turns = dict(zip(track_ids, turns.tolist(), strict=True))
        self._crops = len(looked)
        self.dropped_work.poses += int(due.sum()) - self._crops
        return chosen

    def end(
        self, captured_s: float, start_s: float, end_s: float, stages_ms: Mapping[str, float]
    ) -> None:
        """The frame that was taken up at ``start_s`` is done at ``end_s``."""
        if not self.budget:
            return
        took_s = end_s - start_s
        detect_s, network_s = (stages_ms.get(name, 0.0) / 1e3 for name in ("detect", "network"))
        if self._detects:
            self.costs.learn_detection(detect_s)
        if self._crops:
            self.costs.learn_crops(self._crops, network_s)
        self.costs.learn_rest(max(0.0, took_s - detect_s - network_s))
        self._ready_s[captured_s] = end_s
        while len(self._ready_s) > FRAMES_REMEMBERED:  # nobody says when they are shown
            self._ready_s.pop(next(iter(self._ready_s)))
        if self.budget.target_fps is not None:
            frame_s = 1.0 / self.budget.target_fps
            owed_s = self._debt_s + took_s - frame_s
            self._debt_s = min(max(-frame_s, owed_s), MOST_DEBT * frame_s)
        limit_ms = self.budget.max_latency_ms
        if limit_ms is not None:
            old_s = end_s - captured_s + self.costs.after_s
            self.dropped_work.late += old_s * 1e3 > limit_ms
        elif self._debt_s > 0.0:
            self.dropped_work.late += 1

    def shown(self, captured_s: float, shown_s: float) -> None:
        """The frame captured then is on the screen now: the way there counts as latency too."""
        ready_s = self._ready_s.pop(captured_s, None)
        if ready_s is not None:
            self.costs.learn_after(shown_s - ready_s)
