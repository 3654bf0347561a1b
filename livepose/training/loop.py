"""The one training loop: batches in, checkpoints, weights and a log out, stoppable at any step.

What is trained is a ``Task`` (``pose``, ``detector``).
"""

import logging
import math
import platform
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import cv2
import torch
from torch import Tensor

from livepose.errors import DataError, LiveposeError, UsageError, WeightsError
from livepose.evaluation.predict import work_ahead
from livepose.sinks.files import write_output
from livepose.training.data import parse_set
from livepose.training.records import (
    CHECKPOINT,
    SETTINGS,
    append_log,
    cut_log,
    read_checkpoint,
    write_checkpoint,
)
from livepose.training.settings import RunSettings
from livepose.training.train_step import Processes, Task, TrainStep, choose_device

LOWEST_RATE = 0.02
EASY_UNTIL, HARD_FROM = 0.1, 0.6
PREFETCHED = 3
LOG_EVERY = 25
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
        if self.settings.decay_last is not None:
            return warm * self.remaining(progress)
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress)
        return warm * (LOWEST_RATE + (1 - LOWEST_RATE) * cosine)

    def remaining(self, progress: float) -> float:
        """1 until the last share begins, then straight to 0."""
        last = self.settings.decay_last
        return min(1.0, (1 - progress) / last) if last else 1.0

    def is_decaying(self, progress: float) -> bool:
        """Whether the last share has begun."""
        return self.remaining(progress) < 1

    def curriculum(self, progress: float, first: float, last: float) -> float:
        """How hard crops are made, 0 to 1; it eases to half while the last share runs."""
        done = (progress - EASY_UNTIL) / (HARD_FROM - EASY_UNTIL)
        reached = first + (last - first) * min(1.0, max(0.0, done))
        return reached * (0.5 + 0.5 * self.remaining(progress))


class DivergenceWatch:
    """Remembers recent losses; one that is no number, or far above, is an error."""

    def __init__(self, ignore_until_step: int) -> None:
        self._ignore_until = ignore_until_step
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    def check(self, step: int, loss: float) -> None:
        """Take in one loss. LiveposeError when the training diverges, with what to do about it."""
        if not math.isfinite(loss):
            raise LiveposeError(f"the loss became {loss} at step {step}; {ADVICE}")
        usual = median(self._recent) if len(self._recent) >= NEEDED else math.inf
        if step > self._ignore_until and loss > FACTOR * usual:
            raise LiveposeError(
                f"the loss rose to {loss:.3g} at step {step}, over {FACTOR:g} times its median "
                f"{usual:.3g}; {ADVICE}"
            )
        self._recent.append(loss)


def train(
    make: Callable[[Any, torch.device, Processes], Task],
    settings: RunSettings,
    folder: Path,
    resume: bool,
) -> "Trainer":
    """Train a task (``PoseTask``, ``DetectorTask``), or go on with the run in ``folder``.

    LiveposeError: what is wrong with settings, data, device or weights, or the training diverges.
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
        trainer = Trainer(make(settings, device, processes), folder, processes)
        if processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            write_output(folder / SETTINGS, settings.to_json())
        if resume:
            trainer.resume()
        trainer.run()
        return trainer
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class Trainer:
    """One run: set up, go on from a checkpoint if there is one to go on from, train."""

    def __init__(self, task: Task, folder: Path, processes: Processes) -> None:
        self.task, self.folder, self.processes = task, folder, processes
        self.settings, self.schedule = task.settings, Schedule(task.settings)
        self.train_step = TrainStep(task, processes)
        self.step, self.finished = 0, False
        self._before_s, self._began_s = 0.0, time.perf_counter()
        self._watch = DivergenceWatch(self.settings.warm_up_steps)
        self._unchecked: list[tuple[int, Tensor, Tensor]] = []
        self._losses: list[float] = []
        self._norm = math.nan
        self._told, self._waited_s = (0, 0.0), 0.0
        self._stop = False

    def resume(self) -> None:
        """Go on from the run's checkpoint."""
        content = read_checkpoint(self.folder)
        try:
            self.train_step.load(content["train_step"])
            self.step, self._before_s = int(content["step"]), float(content["elapsed_s"])
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
        """Train until the schedule or the user ends it; LiveposeError when it diverges."""
        self._began_s = time.perf_counter()
        self._told = (self.step, self.elapsed_s)
        if self.processes.first:
            cut_log(self.folder, self.step)

        def prepare(step: int) -> Any:
            return self.task.prepare(step, self.schedule.progress(step, self.elapsed_s))

        steps, workers = count(self.step), self.settings.workers
        alone = torch.set_num_threads, (1,)  # a second team of OpenMP takes the network's cores
        batches = work_ahead(prepare, steps, workers, PREFETCHED + workers - 1, *alone)
        written_s = self.elapsed_s
        with stopping(self._ask_to_stop), closing(batches):
            while True:
                progress, stop = self.processes.agree(
                    self.schedule.progress(self.step, self.elapsed_s), self._stop
                )
                self.finished = progress >= 1
                if self.finished or stop:
                    break
                start = time.perf_counter()
                prepared = next(batches)
                self._waited_s += time.perf_counter() - start
                rate = self.schedule.rate(self.step, progress)
                batch = self.task.finish(prepared)
                loss, norm = self.train_step.step(batch, self.step, rate)
                self.step += 1
                self._unchecked.append((self.step, loss, norm))
                if loss.device.type == "cpu":  # a GPU is not waited for at every step
                    self._check()
                if self.step - self._told[0] >= LOG_EVERY:
                    self._tell()
                if self.elapsed_s - written_s > CHECKPOINT_EVERY_S:
                    self._write()
                    written_s = self.elapsed_s
            self._tell()
            self._write()
            if self.finished:
                self._validate()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop:
            raise KeyboardInterrupt
        self._stop = True
        logger.info("stopping after this step, with a checkpoint (again: at once, without one)")

    def _check(self) -> None:
        """Look at every loss that was not looked at yet."""
        for step, loss, norm in self._unchecked:
            self._watch.check(step, float(loss))
            self._losses.append(float(loss))
            self._norm = float(norm)
        self._unchecked.clear()

    def _tell(self) -> None:
        """Log and show the steps since the last time, if there were any."""
        self._check()
        if not (self.processes.first and self._losses):
            return
        elapsed_s, batch = self.elapsed_s, self.settings.batch
        passed_s = max(elapsed_s - self._told[1], 1e-9)
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
            "samples_per_s": round(batch * (self.step - self._told[0]) / passed_s, 2),
            "data_share": round(min(1.0, self._waited_s / passed_s), 4),
        }
        append_log(self.folder, entry)
        text = (
            "step {step}, {samples} {unit}, loss {loss:.4f}, {samples_per_s:.1f} {unit}/s, "
            "data {data_share:.0%}, {progress:.1%}, {left} left"
        )
        logger.info(text.format(unit=self.task.unit, left=timedelta(seconds=left_s), **entry))
        self._losses.clear()
        self._told, self._waited_s = (self.step, elapsed_s), 0.0

    def _write(self) -> None:
        """Write a checkpoint and the weights, unless they are broken."""
        self._check()
        if not self.processes.first:
            return
        if not self.train_step.is_sound():
            raise LiveposeError(f"a weight is no finite number at step {self.step}; {ADVICE}")
        content = {
            "train_step": self.train_step.state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "rng": torch.get_rng_state(),
        }
        write_checkpoint(content, self.folder)
        self._export({})

    def _validate(self) -> None:
        """Measure the weights on the dev sets; the figures go into the log and their notes."""
        notes = {}
        for text in self.settings.dev if self.processes.first else ():
            dev = parse_set(text)
            try:
                found = self.task.validate(self.folder / self.task.file, dev)
            except LiveposeError as error:  # the weights are written, whatever is wrong here
                logger.warning(f"not measured on {dev.name}: {error}")
                continue
            figures = {key: round(value, 4) for key, value in found.items()}
            append_log(self.folder, {"step": self.step, "set": text, "validation": figures})
            said = ", ".join(f"{key} {value:g}" for key, value in figures.items())
            notes[f"validation {dev.name}"] = said
            logger.info(f"step {self.step}, {dev.name}: {said}")
        if notes:
            self._export(notes)

    def _export(self, figures: dict[str, str]) -> None:
        """Write the weights with how they came about."""
        settings, hardware = self.settings, f"{torch.get_num_threads()} CPU threads"
        if self.task.device.type == "cuda":
            hardware = torch.cuda.get_device_name()
        rate = f"lr {settings.highest_lr:g}"
        if settings.relative_step is not None:
            rate = f"norms held, step {settings.relative_step:g}"
        notes = {
            "data": ", ".join(parse_set(text).name for text in settings.data),
            self.task.unit: str(self.step * settings.batch),
            "minutes": f"{self.elapsed_s / 60:.1f}",
            "seed": str(settings.seed),
            "optimiser": f"{settings.optimiser}, {rate}, batch {settings.batch}",
            "started_from": Path(settings.init).name if settings.init else "nothing",
            "hardware": f"{hardware}, {platform.machine()}",
        }
        self.task.export(self.train_step.ema, self.folder / self.task.file, notes | figures)


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
