"""What a training says while it runs: losses watched, speed measured, lines written."""

import math
from typing import Any

from livepose.training.divergence import DivergenceWatch
from livepose.training.learner import Learned
from livepose.training.loader import Loader
from livepose.training.log import ProgressLine, RunLog
from livepose.training.schedule import Schedule
from livepose.training.settings import TrainSettings


class Recorder:
    """Collects what each step told, and makes a log entry of it now and then."""

    def __init__(self, settings: TrainSettings, step: int, elapsed_s: float) -> None:
        self._settings, self._schedule = settings, Schedule(settings)
        self.watch = DivergenceWatch(settings.warm_up_steps)
        self._unchecked: list[tuple[int, Learned]] = []
        self._losses: list[float] = []
        self._norm = math.nan
        self._since_step, self._since_s = step, elapsed_s

    def restart(self, step: int, elapsed_s: float) -> None:
        """Measure speed from here on."""
        self._since_step, self._since_s = step, elapsed_s

    def add(self, step: int, learned: Learned) -> None:
        """Keep what one step told; on a CPU it is looked at at once, on a GPU it is not waited for.

        Raises
        ------
        LiveposeError
            When the training diverges.
        """
        self._unchecked.append((step, learned))
        if learned.loss.device.type == "cpu":
            self.check()

    def check(self) -> None:
        """Look at every loss that was not looked at yet."""
        for step, learned in self._unchecked:
            loss = float(learned.loss)
            self.watch.check(step, loss)
            self._losses.append(loss)
            self._norm = float(learned.grad_norm)
        self._unchecked.clear()

    def is_due(self, step: int) -> bool:
        """Whether it is time for a line."""
        return step - self._since_step >= self._settings.log_every

    def entry(
        self, step: int, elapsed_s: float, loader: Loader, last_phase: bool
    ) -> dict[str, Any] | None:
        """The log entry of the steps since the last one, None where there were none."""
        self.check()
        if not self._losses:
            return None
        steps, passed = step - self._since_step, max(elapsed_s - self._since_s, 1e-9)
        progress = self._schedule.progress(step, elapsed_s)
        entry = {
            "step": step,
            "crops": step * self._settings.batch,
            "progress": round(progress, 6),
            "elapsed_s": round(elapsed_s, 1),
            "left_s": round(self._left_s(step, progress, passed / max(1, steps))),
            "loss": round(sum(self._losses) / len(self._losses), 5),
            "grad_norm": round(self._norm, 3) if math.isfinite(self._norm) else None,
            "rate": round(self._schedule.rate(step, progress), 5),
            "hardness": round(self._schedule.hardness(progress), 3),
            "last_phase": last_phase,
            "crops_per_s": round(steps * self._settings.batch / passed, 2),
            "data_share": round(min(1.0, loader.waited_s / passed), 4),
        }
        self._losses.clear()
        loader.waited_s = 0.0
        self.restart(step, elapsed_s)
        return entry

    def _left_s(self, step: int, progress: float, step_s: float) -> float:
        if self._settings.budget_minutes is not None:
            return (1 - progress) * 60 * self._settings.budget_minutes
        assert self._settings.crops is not None  # noqa: S101
        return max(0.0, self._settings.crops / self._settings.batch - step) * step_s


class Voice:
    """Writes entries to the log and the screen; only the first process has one that speaks."""

    def __init__(self, log: RunLog | None, line: ProgressLine) -> None:
        self.log, self._line = log, line

    def tell(self, entry: dict[str, Any] | None) -> None:
        """Log and show one entry, if there is one."""
        if entry is None:
            return
        if self.log is not None:
            self.log.write(entry)
        self._line.show(entry)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._line.close()
