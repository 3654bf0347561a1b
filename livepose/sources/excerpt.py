"""The part of a video that is wanted."""

import math
from dataclasses import dataclass

from livepose.errors import UsageError

SAME_TIME_S = 5e-4
"""So near are times that only rounding sets apart."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a video file that is wanted; times stay those of the file."""

    start_s: float = 0.0
    end_s: float | None = None
    """The first time that is not wanted any more; None: to the end."""
    step: int = 1
    """Of so many frames one is taken."""

    def __post_init__(self) -> None:
        if self.start_s < 0 or self.step < 1:
            raise UsageError(f"expected a start from 0 s and a step from 1 on, got {self}")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise UsageError(f"end: expected more than {self.start_s:g} s, got {self.end_s:g} s")

    def count(self, frames: int, interval_s: float) -> int:
        """How many of so many frames it holds."""
        end_s = min(frames * interval_s, self.end_s or math.inf)
        return max(0, math.ceil(round((end_s - self.start_s) / interval_s, 3) / self.step))


WHOLE = Excerpt()
