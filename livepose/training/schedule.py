"""What changes while a training goes on: learning rate, curriculum, and the last phase."""

import math
from dataclasses import dataclass

from livepose.training.settings import TrainSettings

LOWEST_RATE = 0.02
EASY_UNTIL, HARD_FROM = 0.1, 0.6


@dataclass(frozen=True)
class Schedule:
    """How far the training is, and what follows from it; progress is 0 to 1."""

    settings: TrainSettings

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the training that is done before ``step`` (counted from 0)."""
        if self.settings.crops is not None:
            return min(1.0, step * self.settings.batch / self.settings.crops)
        assert self.settings.budget_minutes is not None  # noqa: S101
        return min(1.0, elapsed_s / (60 * self.settings.budget_minutes))

    def rate(self, step: int, progress: float) -> float:
        """Factor on the learning rate: warm-up, then cosine."""
        warm = min(1.0, (step + 1) / max(1, self.settings.warm_up_steps))
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress) if self.settings.decay else 1.0
        return warm * (LOWEST_RATE + (1 - LOWEST_RATE) * cosine)

    def hardness(self, progress: float) -> float:
        """How far the curriculum is."""
        first, last = self.settings.hardness
        done = (progress - EASY_UNTIL) / (HARD_FROM - EASY_UNTIL)
        return first + (last - first) * min(1.0, max(0.0, done))

    def is_last_phase(self, progress: float) -> bool:
        """Whether squared error between maps has taken over."""
        return progress >= 1 - self.settings.mse_last and self.settings.mse_last > 0
