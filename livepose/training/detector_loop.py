"""The detector's own loop, made for a processor.

``detector_boxes`` (what there is) -> ``detector_augment`` (a sample) -> ``detector_batches`` ->
``detector_learner`` (one step). With a schedule of pictures a resumed run ends where an
uninterrupted one does.
"""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import torch

from livepose.detection import save_detector
from livepose.errors import LiveposeError
from livepose.training.checkpoint import read_checkpoint, write_checkpoint
from livepose.training.detector_augment import Sampler
from livepose.training.detector_batches import Batches
from livepose.training.detector_boxes import BoxedPictures, read_boxed
from livepose.training.detector_learner import DetectorLearner
from livepose.training.detector_score import measure
from livepose.training.detector_settings import LoopSettings
from livepose.training.detector_training import EXPORT, LICENCE
from livepose.training.divergence import DivergenceWatch
from livepose.training.log import RunLog, clock
from livepose.training.people import parse_set
from livepose.training.problems import Problems

logger = logging.getLogger(__name__)

FINISHED, INTERRUPTED = "finished", "interrupted"


def train_in_loop(settings: LoopSettings, folder: Path, resume: bool) -> str:
    """Train into ``folder`` and return how it ended; the folder was checked by ``run``.

    Raises
    ------
    LiveposeError
        What is wrong with the settings, the data, or the training itself.
    """
    cv2.setNumThreads(1)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    kept = read_checkpoint(folder) if resume else None
    if kept is not None:
        settings.check_same(kept["settings"])
    problems = Problems(settings.strict_data)
    specs = [parse_set(text) for text in settings.data]
    how = (settings.one_boxed, settings.complete_with, settings.cache)
    pictures = read_boxed(specs, *how, problems)
    problems.tell()
    logger.info(f"{len(pictures)} pictures with {pictures.boxes} boxes")
    loop = DetectorLoop(settings, folder, pictures)
    if kept is not None:
        loop.load(kept)
    return loop.run()


class DetectorLoop:
    """One run: steps, checkpoints, log, and the exported detector."""

    def __init__(self, settings: LoopSettings, folder: Path, pictures: BoxedPictures) -> None:
        self.settings, self.folder = settings, folder
        self._pictures = pictures
        self._sampler = Sampler(pictures, settings.input_px, settings.mosaic, settings.seed)
        torch.manual_seed(settings.seed)
        self.learner = DetectorLearner(
            settings.architecture, settings.lr, settings.precision, settings.init
        )
        self.step = 0
        self._watch = DivergenceWatch(settings.warm_up_steps)
        self._before_s, self._began_s = 0.0, time.perf_counter()
        self._stop = False

    def load(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.learner.load(kept["learner"])
        self.step, self._before_s = int(kept["step"]), float(kept["elapsed_s"])
        self._watch.remember(kept["recent_losses"])
        logger.info(f"goes on at step {self.step} after {clock(self._before_s)}")

    @property
    def elapsed_s(self) -> float:
        """Training time of this run, over all its starts."""
        return self._before_s + time.perf_counter() - self._began_s

    def run(self) -> str:
        """Train until the schedule or the user ends it; returns which one did.

        Raises
        ------
        LiveposeError
            When the training diverges; the last good checkpoint is kept.
        """
        self._began_s = time.perf_counter()
        log = RunLog(self.folder, self.step)
        batches = Batches(self._sampler, self.settings.batch, self.step)
        with self._stoppable(), closing(batches):
            self._loop(batches, log)
        self._write()
        if self._stop:
            return INTERRUPTED
        self._measure(log)
        return FINISHED

    def _loop(self, batches: Batches, log: RunLog) -> None:
        written_s = told_s = self.elapsed_s
        told_step = self.step
        while not self._stop:
            progress = self.settings.progress(self.step, self.elapsed_s)
            if progress >= 1:
                return
            factor = self.settings.rate(self.step, progress)
            parts = self.learner.step(batches.take(), self.step, factor)
            self.step += 1
            self._watch.check(self.step, sum(parts.values()))
            if self.step % self.settings.log_every == 0:
                seconds = self.elapsed_s - told_s
                self._tell(log, parts, factor, (self.step - told_step) / seconds)
                told_s, told_step = self.elapsed_s, self.step
            if self.elapsed_s - written_s > 60 * self.settings.checkpoint_minutes:
                self._write()
                written_s = self.elapsed_s

    def _tell(
        self, log: RunLog, parts: dict[str, float], factor: float, steps_per_s: float
    ) -> None:
        progress = self.settings.progress(self.step, self.elapsed_s)
        entry = {
            "step": self.step,
            "pictures": self.step * self.settings.batch,
            "loss": round(sum(parts.values()), 5),
            "losses": {name: round(value, 5) for name, value in parts.items()},
            "rate": round(factor, 5),
            "pictures_per_s": round(steps_per_s * self.settings.batch, 2),
            "progress": round(progress, 5),
            "elapsed_s": round(self.elapsed_s, 1),
        }
        log.write(entry)
        left_s = self.elapsed_s * (1 - progress) / max(progress, 1e-9)
        logger.info(
            f"step {self.step}, {entry['pictures']} pictures, loss {entry['loss']:.3f}, "
            f"{entry['pictures_per_s']} pictures/s, {100 * progress:.1f} %, {clock(left_s)} left"
        )

    def _write(self) -> None:
        """Write checkpoint and detector, unless the weights are broken."""
        if not self.learner.is_sound():
            raise LiveposeError(
                f"a weight is no finite number any more at step {self.step}; the last good "
                "checkpoint is kept: start again from it with a lower --lr"
            )
        content = {
            "learner": self.learner.state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "recent_losses": self._watch.recent,
            "settings": self.settings.to_json(),
        }
        write_checkpoint(content, self.folder)
        draft = self.folder / f"draft.{EXPORT}"
        save_detector(draft, self.learner.ema, self._metadata())
        draft.replace(self.folder / EXPORT)

    def _metadata(self) -> dict[str, str]:
        return {
            "classes": "person",
            "input_px": str(self.settings.input_px),
            "source": "trained by livepose train detector --loop livepose",
            "licence": LICENCE,
            "steps": str(self.step),
            "pictures": str(self.step * self.settings.batch),
            "boxes": str(self._pictures.boxes),
            "seed": str(self.settings.seed),
        }

    def _measure(self, log: RunLog) -> None:
        if self.settings.dev is None:
            return
        spec = parse_set(self.settings.dev)
        found = measure(self.folder / EXPORT, spec, self.settings.input_px)
        if found is not None:
            log.write({"step": self.step, "set": self.settings.dev, "validation": found})
            figures = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
            logger.info(f"{self.settings.dev}: {figures}")

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Ctrl-C and a polite kill end the training after the step that is under way."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._ask_to_stop) for number in signals]
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
