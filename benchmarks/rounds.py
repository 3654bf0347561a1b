"""The one clock of what is measured here: systems take turns on frames, round by round.

Warm-up is kept apart. A figure is the median over rounds with its quartiles, so that a machine
that was busy for a moment shows in the spread and not in the figure.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from livepose.benchmark.run import DETECTION_MS, KnownBoxes, spread
from livepose.drawing import draw_poses
from livepose.frame import Frame
from livepose.pipeline import PosePipeline

STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's distribution with 1 to 9 degrees of freedom."""


class System(Protocol):
    """Something that finds people in frames, and is measured at it."""

    def before_round(self) -> None:
        """Puts the process as this one wants it (threads, for instance); not measured."""

    def take(self, frame: Frame) -> int:
        """Finds the people of one frame; how many they are."""


class Livepose:
    """The pipeline as a system: each frame found, followed, and drawn unless that is left."""

    def __init__(
        self, pipeline: PosePipeline, known: KnownBoxes | None = None, draw: bool = True
    ) -> None:
        self._pipeline, self._known, self._draw = pipeline, known, draw

    def before_round(self) -> None:
        """Nothing: the pipeline runs in the process as it is."""

    def take(self, frame: Frame) -> int:
        """One frame; how many people are in it."""
        if self._known is not None:
            self._known.index = frame.index
        poses = self._pipeline.process(frame.image_bgr, frame.time_s)
        if self._draw:
            draw_poses(frame.image_bgr.copy(), poses)
        return len(poses)

    def detected_percent(self) -> float:
        """Of the newest frames (240 at most) those in which the detector ran, of 100."""
        took_ms = [stages.get("detect", 0.0) for stages in self._pipeline.clock.frames_ms]
        return 100 * float(np.mean(np.array(took_ms) > DETECTION_MS))


@dataclass(frozen=True, slots=True)
class Length:
    """How long a round is: ``least`` frames and ``seconds``, but never more than ``most``."""

    least: int = 1
    most: int = 1_000_000
    seconds: float = 0.0

    def reached(self, frames: int, seconds: float) -> bool:
        """Whether a round of this length is over."""
        return frames >= self.most or (frames >= self.least and seconds >= self.seconds)


class TimedRun:
    """One system with frames of its own: what was measured of it."""

    def __init__(self, system: System, frames: Iterator[Frame]) -> None:
        self.system = system
        self.rounds_fps: list[float] = []
        self.frame_ms: list[float] = []
        self.people: list[int] = []
        self._frames = frames

    def warm_up(self, frames: int, seconds: float = float("inf")) -> None:
        """Frames that are not measured, or as many as fit in ``seconds``."""
        self.system.before_round()
        start_s = time.perf_counter()
        for frame in islice(self._frames, frames):
            self.system.take(frame)
            if time.perf_counter() - start_s >= seconds:
                break

    def round(self, length: Length) -> None:
        """One measured round, waiting for frames included; none where no frame came any more."""
        self.system.before_round()
        done, start_s, end_s = 0, time.perf_counter(), 0.0
        for frame in self._frames:
            began_s = time.perf_counter()
            self.people.append(self.system.take(frame))
            end_s = time.perf_counter()
            self.frame_ms.append((end_s - began_s) * 1e3)
            done += 1
            if length.reached(done, end_s - start_s):
                break
        if done:
            self.rounds_fps.append(done / (end_s - start_s))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "fps": spread(self.rounds_fps),
            "frame_ms": spread(self.frame_ms),
            "rounds_fps": [round(fps, 4) for fps in self.rounds_fps],
            "people_found": float(np.median(self.people)) if self.people else 0.0,
        }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float] | None:
    """Our figure over theirs in the same rounds: the geometric mean and its 95 % interval.

    Rounds of one run share what else the machine did meanwhile, so their ratios scatter less than
    the figures. The ends are those of Student's interval of the mean logarithm; None where there
    are fewer than two rounds.
    """
    count = min(len(ours), len(theirs), len(STUDENT_95) + 1)
    if count < 2:
        return None
    logs = np.log(np.asarray(ours[:count]) / np.asarray(theirs[:count]))
    half = STUDENT_95[count - 2] * float(logs.std(ddof=1)) / float(np.sqrt(count))
    middle, low, high = (float(np.exp(logs.mean() + step)) for step in (0.0, -half, half))
    return middle, low, high


def lock(timed: Sequence[TimedRun], rounds: int, length: Length) -> Iterator[int]:
    """Everybody's first round, everybody's second, and so on; who begins changes.

    Yields after each round of all, so that the caller can tell how far it is.
    """
    for number in range(rounds):
        first = number % max(1, len(timed))
        for turn in [*timed[first:], *timed[:first]]:
            turn.round(length)
        yield number + 1
