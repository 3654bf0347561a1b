"""The one clock of every benchmark: systems take turns on frames, round by round.

Warm-up is kept apart. A figure is the median over rounds with its quartiles, so that a machine
that was busy for a moment shows in the spread and not in the figure.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from livepose.frame import Frame


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of ``count`` samples."""

    median: float
    q1: float
    q3: float
    count: int

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def spread(samples: Sequence[float]) -> Spread:
    """Median and quartiles; NaN where there are no samples."""
    values = np.percentile(samples, (50, 25, 75)) if len(samples) else np.full(3, np.nan)
    median, q1, q3 = values.tolist()
    return Spread(median, q1, q3, len(samples))


class System(Protocol):
    """Something that finds people in frames, and is measured at it."""

    def before_round(self) -> None:
        """Puts the process as this one wants it (threads, for instance); not measured."""

    def take(self, frame: Frame) -> int:
        """Finds the people of one frame; how many they are."""


@dataclass(frozen=True, slots=True)
class Round:
    """Frames that were taken one after the other, and the seconds that they took together."""

    frames: int
    seconds: float

    @property
    def fps(self) -> float:
        """Frames a second, waiting for frames included."""
        return self.frames / self.seconds


@dataclass(frozen=True, slots=True)
class Length:
    """How long a round is: ``least`` frames and ``seconds``, but never more than ``most``."""

    least: int = 1
    most: int = 1_000_000
    seconds: float = 0.0

    @classmethod
    def of(cls, frames: int) -> "Length":
        """That number of frames, however long they take."""
        return cls(least=frames, most=frames)

    def reached(self, frames: int, seconds: float) -> bool:
        """Whether a round of this length is over."""
        return frames >= self.most or (frames >= self.least and seconds >= self.seconds)


class TimedRun:
    """One system with frames of its own: what was measured of it."""

    def __init__(self, system: System, frames: Iterator[Frame]) -> None:
        self.system = system
        self.rounds: list[Round] = []
        self.frame_ms: list[float] = []
        self.people: list[int] = []
        self._frames = frames

    def warm_up(self, frames: int, seconds: float = float("inf")) -> int:
        """Frames that are not measured, or as many as fit in ``seconds``; how many there were."""
        self.system.before_round()
        taken, start_s = 0, time.perf_counter()
        for taken, frame in enumerate(islice(self._frames, frames), 1):  # noqa: B007
            self.system.take(frame)
            if time.perf_counter() - start_s >= seconds:
                break
        return taken

    def round(self, length: Length) -> bool:
        """One measured round; False when no frame came any more."""
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
            self.rounds.append(Round(done, end_s - start_s))
        return done > 0

    @property
    def frames(self) -> int:
        """Measured frames."""
        return len(self.frame_ms)

    @property
    def seconds(self) -> float:
        """Measured seconds."""
        return sum(one.seconds for one in self.rounds)

    def fps(self) -> Spread:
        """Frames a second over the rounds."""
        return spread([one.fps for one in self.rounds])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "fps": self.fps().as_dict(),
            "frame_ms": spread(self.frame_ms).as_dict(),
            "rounds_fps": [round(one.fps, 4) for one in self.rounds],
            "people_found": float(np.median(self.people)) if self.people else 0.0,
        }
