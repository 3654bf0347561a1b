"""What changes while a training goes on: learning rate, curriculum, and the last phase."""

import math
from dataclasses import dataclass

from livepose.training.settings import RunSettings

LOWEST_RATE = 0.02
EASY_UNTIL, HARD_FROM = 0.1, 0.6


@dataclass(frozen=True)
class Schedule:
    """How far the training is, and what follows from it; progress is 0 to 1."""

    settings: RunSettings

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the training that is done before ``step`` (counted from 0)."""
        if self.settings.samples is not None:
            return min(1.0, step * self.settings.batch / self.settings.samples)
        return min(1.0, elapsed_s / (60 * (self.settings.budget_minutes or math.inf)))

    def rate(self, step: int, progress: float) -> float:
        """Factor on the learning rate: warm-up, then cosine, or constant with a fall at the end."""
        warm = min(1.0, (step + 1) / max(1, self.settings.warm_up_steps))
        if not self.settings.decay:
            return warm
        if self.settings.decay_last is not None:
            return warm * self.remaining(progress)
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress)
        return warm * (LOWEST_RATE + (1 - LOWEST_RATE) * cosine)

    def remaining(self, progress: float) -> float:
        """1 until the last share begins, then straight to 0."""
        last = self.settings.decay_last
        return 1.0 if last is None else min(1.0, (1 - progress) / last)

    def is_decaying(self, progress: float) -> bool:
        """Whether the last share has begun."""
        return self.remaining(progress) < 1

    def curriculum(self, progress: float, first: float, last: float) -> float:
        """How hard crops are made, 0 to 1; it eases to half while the last share runs."""
        done = (progress - EASY_UNTIL) / (HARD_FROM - EASY_UNTIL)
        reached = first + (last - first) * min(1.0, max(0.0, done))
        return reached * (0.5 + 0.5 * self.remaining(progress))
