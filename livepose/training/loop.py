"""The one training loop: batches in, checkpoints and a log out, stoppable at any step.

What is trained is a ``Task`` (``pose``, ``detector``): it makes networks, batches and losses, and
says what the result is good for. Everything else is the same for both and stands here.
"""

import logging
import math
import signal
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import cv2
import torch
from torch import Tensor

from livepose.errors import DataError, LiveposeError, UsageError, WeightsError
from livepose.training.records import (
    CHECKPOINT,
    append_log,
    cut_log,
    read_checkpoint,
    write_checkpoint,
)
from livepose.training.settings import RunSettings
from livepose.training.train_step import Processes, Task, TrainStep, choose_device

FINISHED, PAUSED, INTERRUPTED = "finished", "paused", "interrupted"
LOWEST_RATE = 0.02
EASY_UNTIL, HARD_FROM = 0.1, 0.6
PREFETCHED = 3
CHECKPOINT_EVERY_S = 300.0
REMEMBERED, NEEDED, FACTOR = 200, 50, 4.0
ADVICE = (
    "the last good checkpoint is kept: start again from it with a lower --lr (--init "
    "runs/NAME/checkpoint.pt)"
)
logger = logging.getLogger(__name__)


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


class Prefetcher:
    """What ``prepare`` makes of each step from ``start`` on."""

    def __init__(self, prepare: Callable[[int], Any], start: int, workers: int) -> None:
        self._prepare, self._next = prepare, start
        self._ahead = PREFETCHED + workers - 1
        self._waiting: deque[Future[Any]] = deque()
        self.waited_s = 0.0
        # One thread each: a second team of OpenMP would take the network's cores.
        self._pool = ThreadPoolExecutor(workers, "batches", torch.set_num_threads, (1,))

    def take(self) -> Any:
        """The next one; the time spent waiting for it is added to ``waited_s``."""
        start = time.perf_counter()
        while len(self._waiting) <= self._ahead:
            self._waiting.append(self._pool.submit(self._prepare, self._next))
            self._next += 1
        prepared = self._waiting.popleft().result()
        self.waited_s += time.perf_counter() - start
        return prepared

    def close(self) -> None:
        """Stop preparing."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class DivergenceWatch:
    """Remembers recent losses of each kind; one that is no number, or far above, is an error."""

    def __init__(self, ignore_until_step: int) -> None:
        self._ignore_until = ignore_until_step
        self.recent: dict[str, list[float]] = defaultdict(list)  # a checkpoint keeps them

    def check(self, step: int, loss: float, kind: str = "") -> None:
        """Take in one loss. LiveposeError when the training diverges, with what to do about it."""
        if not math.isfinite(loss):
            raise LiveposeError(f"the loss became {loss} at step {step}; {ADVICE}")
        recent = self.recent[kind]
        usual = median(recent) if len(recent) >= NEEDED else math.inf
        if step > self._ignore_until and loss > FACTOR * usual:
            raise LiveposeError(
                f"the loss rose to {loss:.3g} at step {step}, over {FACTOR:g} times its median "
                f"{usual:.3g}; {ADVICE}"
            )
        recent.append(loss)
        del recent[:-REMEMBERED]


def train(
    make: Callable[[Any, Path, torch.device, Processes], Task],
    settings: RunSettings,
    folder: Path,
    resume: bool,
) -> "Trainer":
    """Train a task (``PoseTask``, ``DetectorTask``), or go on with the run in ``folder``.

    LiveposeError: what is wrong with the settings, the data, the device, the weights to start from,
    or the training itself.
    """
    there = (folder / CHECKPOINT).is_file()
    if there and not resume:
        raise UsageError(f"{folder} holds a run already: give --resume or another --name")
    if resume and not there:
        raise DataError(f"{folder}: there is no {CHECKPOINT} to go on from")
    device = choose_device(settings.device)
    processes = Processes.join(device)
    cv2.setNumThreads(1)  # OpenCV works in the threads that prepare batches
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    if not processes.first:
        logging.getLogger("livepose.training").setLevel(logging.ERROR)
    try:
        trainer = Trainer(make(settings, folder, device, processes), folder, device, processes)
        if processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "settings.json").write_text(settings.to_json(), encoding="utf-8")
        if resume:
            trainer.resume()
        trainer.run()
        return trainer
    finally:
        processes.leave()


class Trainer:
    """One run: set up, go on from a checkpoint if there is one to go on from, train.

    ``ended`` is one of ``FINISHED``, ``PAUSED`` and ``INTERRUPTED`` once it has run.
    """

    def __init__(
        self, task: Task, folder: Path, device: torch.device, processes: Processes
    ) -> None:
        self.task, self.folder, self.processes = task, folder, processes
        self.settings, self.schedule = task.settings, Schedule(task.settings)
        self.train_step = TrainStep(task, processes, device)
        self.step, self.ended = 0, ""
        self._before_s, self._began_s = 0.0, time.perf_counter()
        self._watch = DivergenceWatch(self.settings.warm_up_steps)
        self._unchecked: list[tuple[int, Tensor, Tensor, str]] = []
        self._losses: list[float] = []
        self._norm = math.nan
        self._told = (0, 0.0)
        self._stop = False

    def resume(self) -> None:
        """Go on from the run's checkpoint."""
        content = read_checkpoint(self.folder)
        try:
            self.train_step.load(content["train_step"])
            self.step, self._before_s = int(content["step"]), float(content["elapsed_s"])
            for kind, losses in content["recent_losses"].items():
                self._watch.recent[kind] = list(losses)
            torch.set_rng_state(content["rng"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            file = self.folder / CHECKPOINT
            raise WeightsError(f"{file} is not of these settings: {first}") from error
        logger.info(f"goes on at step {self.step} after {self._before_s / 60:.1f} min")

    @property
    def elapsed_s(self) -> float:
        """Training time of this run, over all its starts."""
        return self._before_s + time.perf_counter() - self._began_s

    def run(self) -> None:
        """Train until the schedule, the time or the user ends it.

        LiveposeError when the training diverges; the last good checkpoint is kept.
        """
        self._began_s = time.perf_counter()
        self._told = (self.step, self.elapsed_s)
        if self.processes.first:
            cut_log(self.folder, self.step)

        def prepare(step: int) -> Any:
            return self.task.prepare(step, self.schedule.progress(step, self.elapsed_s))

        loader = Prefetcher(prepare, self.step, self.settings.workers)
        with stopping(self._ask_to_stop), closing(loader):
            written_s = self.elapsed_s
            while True:
                progress, stop = self._agreed()
                if progress >= 1 or stop:
                    break
                self._learn(self.task.finish(loader.take()), progress)
                if self.step - self._told[0] >= self.settings.log_every:
                    self._tell(loader)
                if self.elapsed_s - written_s > CHECKPOINT_EVERY_S:
                    self._write()
                    written_s = self.elapsed_s
            self._tell(loader)
            self._write()
            if progress >= 1:
                self._validate()
            paused = INTERRUPTED if self._stop else PAUSED
            self.ended = FINISHED if progress >= 1 else paused

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop:
            raise KeyboardInterrupt
        self._stop = True
        logger.info("stopping after this step, with a checkpoint (again: at once, without one)")

    def _agreed(self) -> tuple[float, bool]:
        """Progress and whether to stop, the same in all processes."""
        limit_min = self.settings.stop_after_minutes
        here_s = time.perf_counter() - self._began_s
        late = limit_min is not None and here_s > 60 * limit_min
        progress, late_or_asked, asked = self.processes.agree(
            self.schedule.progress(self.step, self.elapsed_s), late or self._stop, self._stop
        )
        self._stop = bool(asked)
        return progress, bool(late_or_asked)

    def _learn(self, batch: Any, progress: float) -> None:
        rate = self.schedule.rate(self.step, progress)
        loss, norm = self.train_step.step(batch, self.step, rate, progress)
        self.step += 1
        self._unchecked.append((self.step, loss, norm, self.task.kind(batch, progress)))
        if loss.device.type == "cpu":  # a GPU is not waited for at every step
            self._check()

    def _check(self) -> None:
        """Look at every loss that was not looked at yet."""
        for step, loss, norm, kind in self._unchecked:
            self._watch.check(step, float(loss), kind)
            self._losses.append(float(loss))
            self._norm = float(norm)
        self._unchecked.clear()

    def _tell(self, loader: Prefetcher) -> None:
        """Log and show the steps since the last time, if there were any."""
        self._check()
        if not (self.processes.first and self._losses):
            return
        elapsed_s, batch = self.elapsed_s, self.settings.batch
        passed_s = max(elapsed_s - self._told[1], 1e-9)
        step_s = passed_s / (self.step - self._told[0])
        progress = self.schedule.progress(self.step, elapsed_s)
        gained = max(progress - self.schedule.progress(*self._told), 1e-9)
        left_s = round((1 - progress) / gained * passed_s)
        entry = {
            "step": self.step,
            "samples": self.step * batch,
            "progress": round(progress, 6),
            "elapsed_s": round(elapsed_s, 1),
            "left_s": left_s,
            "loss": round(sum(self._losses) / len(self._losses), 5),
            "grad_norm": round(self._norm, 3) if math.isfinite(self._norm) else None,
            "rate": round(self.schedule.rate(self.step, progress), 5),
            **self.task.state(progress),
            "samples_per_s": round(batch / step_s, 2),
            "data_share": round(min(1.0, loader.waited_s / passed_s), 4),
        }
        append_log(self.folder, entry)
        text = (
            "step {step}, {samples} {unit}, loss {loss:.4f}, {samples_per_s:.1f} {unit}/s, "
            "data {data_share:.0%}, {progress:.1%}, {left} left"
        )
        logger.info(text.format(unit=self.task.unit, left=timedelta(seconds=left_s), **entry))
        self._losses.clear()
        loader.waited_s = 0.0
        self._told = (self.step, elapsed_s)

    def _validate(self) -> None:
        for name in self.settings.dev if self.processes.first else ():
            found = self.task.validate(self.train_step.ema, name)
            measured = {key: round(value, 4) for key, value in found.items()}
            entry = {"step": self.step, "set": name, "validation": measured}
            append_log(self.folder, entry)
            figures = ", ".join(f"{key} {value:g}" for key, value in measured.items())
            logger.info(f"step {self.step}, {name}: {figures}")

    def _write(self) -> None:
        """Write a checkpoint, unless the weights are broken."""
        self._check()
        if not self.processes.first:
            return
        if not self.train_step.is_sound():
            raise LiveposeError(f"a weight is no finite number at step {self.step}; {ADVICE}")
        content = {
            "train_step": self.train_step.state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "recent_losses": dict(self._watch.recent),
            "rng": torch.get_rng_state(),
            "settings": self.settings.to_json(),
        }
        write_checkpoint(content, self.folder)
        self.task.written(self.train_step.ema, self.step)


@contextmanager
def stopping(handler: Any) -> Iterator[None]:
    """Ctrl-C, a polite kill, or a lost terminal ends it after the step that is under way."""
    known = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    signals = [one for one in known if one and signal.getsignal(one) is not signal.SIG_IGN]
    before = [signal.signal(number, handler) for number in signals]
    try:
        yield
    finally:
        for number, kept in zip(signals, before, strict=True):
            signal.signal(number, kept)
