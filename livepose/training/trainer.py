"""The training loop: batches in, checkpoints and a log out, stoppable at any step."""

import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from livepose.errors import LiveposeError
from livepose.networks import build_network
from livepose.skeletons import SKELETONS
from livepose.training.appearance import Appearance
from livepose.training.checkpoint import (
    load_state,
    read_checkpoint,
    read_state,
    write_checkpoint,
)
from livepose.training.device_augment import DeviceRenderer
from livepose.training.geometry import TrainingGeometry
from livepose.training.learner import Learner
from livepose.training.loader import CpuRenderer, Loader, Renderer
from livepose.training.log import ProgressLine, RunLog
from livepose.training.order import DrawOrder
from livepose.training.people import People
from livepose.training.plan import Planner
from livepose.training.processes import Processes
from livepose.training.record import Recorder, Voice
from livepose.training.schedule import Schedule
from livepose.training.settings import TrainSettings
from livepose.training.validators import Validator

logger = logging.getLogger(__name__)

FINISHED, PAUSED, INTERRUPTED = "finished", "paused", "interrupted"


class Trainer:
    """One run: set up, go on from a checkpoint if there is one to go on from, train."""

    def __init__(
        self,
        settings: TrainSettings,
        folder: Path,
        people: People,
        device: torch.device,
        processes: Processes,
        validators: Mapping[str, Validator] | None = None,
    ) -> None:
        self.settings, self.folder, self.device = settings, folder, device
        self.processes = processes
        self.validators = dict(validators or {})
        self.skeleton = SKELETONS[settings.skeleton]
        self.geometry = TrainingGeometry(settings.alignment, settings.input_hw, settings.padding)
        self.schedule = Schedule(settings)
        torch.manual_seed(settings.seed)
        self.learner = self._new_learner()
        self.planner = Planner(
            people, self.skeleton, self.geometry, settings.augment, settings.seed
        )
        self.order = DrawOrder(people.draw_weights, settings.seed)
        self.step = 0
        self._elapsed_before_s = 0.0
        self._began_s = time.perf_counter()
        self._recorder = Recorder(settings, 0, 0.0)
        self._stop = False
        self._last_phase = False

    def _new_learner(self) -> Learner:
        settings = self.settings
        joints = len(self.skeleton.keypoints)
        network, ema = (build_network(settings.network, joints) for _ in range(2))
        if settings.init is not None:
            file = Path(settings.init)
            load_state(network, read_state(file), file)
        return Learner(network, ema, settings, self.device, self.processes)

    def resume(self) -> None:
        """Go on from the run's checkpoint."""
        content = read_checkpoint(self.folder)
        self.learner.load(content["learner"])
        self.step = int(content["step"])
        self._elapsed_before_s = float(content["elapsed_s"])
        self._recorder.watch.remember(content["recent_losses"])
        self._last_phase = bool(content["last_phase"])
        torch.set_rng_state(content["rng"])
        logger.info(f"goes on at step {self.step} after {self._elapsed_before_s / 60:.1f} min")

    @property
    def elapsed_s(self) -> float:
        """Training time of this run, over all its starts."""
        return self._elapsed_before_s + time.perf_counter() - self._began_s

    def run(self) -> str:
        """Train until the schedule, the time or the user ends it; returns which one did.

        Raises
        ------
        LiveposeError
            When the training diverges; the last good checkpoint is kept.
        """
        self._began_s = time.perf_counter()
        self._recorder.restart(self.step, self.elapsed_s)
        log = RunLog(self.folder, self.step) if self.processes.first else None
        voice = Voice(log, ProgressLine(quiet=not self.processes.first))
        loader = self._loader()
        try:
            with self._stoppable():
                return self._loop(loader, voice)
        finally:
            loader.close()
            voice.close()

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Ctrl-C and a polite kill end the training after the step that is under way."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.getsignal(number) for number in signals]
        for number in signals:
            signal.signal(number, self._ask_to_stop)
        try:
            yield
        finally:
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop:
            raise KeyboardInterrupt
        self._stop = True
        logger.info("stopping after this step, with a checkpoint (again: at once, without one)")

    def _loader(self) -> Loader:
        settings = self.settings
        return Loader(
            self.planner,
            self.order,
            self._renderer(),
            self._hardness,
            settings.batch,
            self.processes.rows(settings.batch),
            self.step,
            settings.workers,
        )

    def _renderer(self) -> Renderer:
        appearance = Appearance()
        if self.device.type == "cuda":
            return DeviceRenderer(self.planner, appearance, self.device, self.settings.cache_px)
        return CpuRenderer(self.planner, appearance, self.device)

    def _hardness(self, step: int) -> float:
        return self.schedule.hardness(self.schedule.progress(step, self.elapsed_s))

    def _loop(self, loader: Loader, voice: Voice) -> str:
        written_s = self.elapsed_s
        while True:
            progress, stop = self._agreed()
            if progress >= 1 or stop:
                break
            self._learn(loader, progress)
            if self._recorder.is_due(self.step):
                voice.tell(self._entry(loader))
            if self.settings.validate_every and self.step % self.settings.validate_every == 0:
                self._write()
                self._validate(voice.log)
            if self.elapsed_s - written_s > 60 * self.settings.checkpoint_minutes:
                self._write()
                written_s = self.elapsed_s
        voice.tell(self._entry(loader))
        self._write()
        return self._ended(progress, voice.log)

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

    def _learn(self, loader: Loader, progress: float) -> None:
        last_phase = self.schedule.is_last_phase(progress)
        if last_phase != self._last_phase:
            self._recorder.check()
            self._recorder.watch.forget()
            self._last_phase = last_phase
        rate = self.schedule.rate(self.step, progress)
        learned = self.learner.step(loader.take(), self.step, rate, last_phase)
        self.step += 1
        self._recorder.add(self.step, learned)

    def _entry(self, loader: Loader) -> dict[str, Any] | None:
        return self._recorder.entry(self.step, self.elapsed_s, loader, self._last_phase)

    def _validate(self, log: RunLog | None) -> None:
        if log is None:
            return
        for name, validator in self.validators.items():
            measured = dict(validator(self.learner.ema))
            log.write({"step": self.step, "set": name, "validation": measured})
            figures = ", ".join(f"{key} {value:g}" for key, value in measured.items())
            logger.info(f"step {self.step}, {name}: {figures}")

    def _write(self) -> None:
        """Write a checkpoint, unless the weights are broken."""
        self._recorder.check()
        if not self.processes.first:
            return
        if not self.learner.is_sound():
            raise LiveposeError(
                f"a weight is no finite number any more at step {self.step}; the last good "
                "checkpoint is kept: start again from it with a lower --lr"
            )
        content = {
            "learner": self.learner.state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "recent_losses": self._recorder.watch.recent,
            "last_phase": self._last_phase,
            "rng": torch.get_rng_state(),
            "settings": self.settings.to_json(),
        }
        write_checkpoint(content, self.folder)

    def _ended(self, progress: float, log: RunLog | None) -> str:
        if progress >= 1:
            self._validate(log)
            return FINISHED
        return INTERRUPTED if self._stop else PAUSED
