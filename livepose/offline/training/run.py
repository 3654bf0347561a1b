"""From settings to a finished run: read the data, train, and say how it ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from livepose.errors import DataError, UsageError
from livepose.offline.training.appearance import Appearance
from livepose.offline.training.checkpoint import NAME as CHECKPOINT
from livepose.offline.training.geometry import TrainingGeometry
from livepose.offline.training.monitor import Monitor
from livepose.offline.training.people import People, SetReader, join, parse_set
from livepose.offline.training.problems import Problems, Report
from livepose.offline.training.processes import Processes, choose_device
from livepose.offline.training.settings import TrainSettings, write_settings
from livepose.offline.training.trainer import Trainer, Validator
from livepose.skeletons import SKELETONS

RUNS = Path("runs")


@dataclass(frozen=True)
class Ended:
    """A run that came to an end for now."""

    reason: str
    folder: Path
    trainer: Trainer


def read_people(settings: TrainSettings, texts: Sequence[str], report: Report) -> list[People]:
    """The keypoint sets that ``texts`` name, one by one; what is wrong with them is reported.

    Raises
    ------
    DataError, UsageError
        When a set cannot be used at all, or (in strict mode) anything in it is wrong.
    """
    skeleton = SKELETONS[settings.skeleton]
    sets = []
    for text in texts:
        spec = parse_set(text)
        problems = Problems(settings.strict_data)
        noisy = any(part in str(spec.annotations) for part in settings.noisy)
        reader = SetReader(spec, skeleton, problems, noisy)
        sets.append(reader.read(settings.cache, max(2, settings.workers)))
        problems.tell(report)
        report(f"{spec.annotations}: {len(sets[-1])} people, {len(sets[-1].pictures)} pictures")
    return sets


def check_folder(folder: Path, resume: bool) -> None:
    """A new run needs a new folder; going on needs a checkpoint.

    Raises
    ------
    UsageError
        When it is the other way round.
    """
    there = (folder / CHECKPOINT).is_file()
    if there and not resume:
        raise UsageError(f"{folder} holds a run already: give --resume or another --name")
    if resume and not there:
        raise DataError(f"{folder}: there is no {CHECKPOINT} to go on from")


def train(settings: TrainSettings, folder: Path, resume: bool, report: Report) -> Ended:
    """Train, or go on with the run in ``folder``.

    Raises
    ------
    LiveposeError
        What is wrong with the settings, the data, the device, or the training itself.
    """
    check_folder(folder, resume)
    device = choose_device(settings.device)
    processes = Processes.join(device)
    set_threads(settings)
    say = report if processes.first else _silent
    try:
        people = join(read_people(settings, settings.data, say))
        say(f"{len(people)} people to learn from, on {device}")
        validators = build_validators(settings, device, say)
        if processes.first and not resume:
            write_settings(settings, folder)
        trainer = Trainer(settings, folder, people, device, processes, say, validators)
        if resume:
            trainer.resume()
        return Ended(trainer.run(), folder, trainer)
    finally:
        processes.leave()


def _silent(message: str) -> None:
    """What the other processes say."""


def set_threads(settings: TrainSettings) -> None:
    """Threads of torch as asked; OpenCV works in the threads that prepare batches."""
    cv2.setNumThreads(1)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)


def build_validators(
    settings: TrainSettings, device: torch.device, report: Report
) -> dict[str, Validator]:
    """One measurement for each dev set, of its first people."""
    monitor = Monitor(
        SKELETONS[settings.skeleton],
        TrainingGeometry(settings.alignment, settings.input_hw, settings.padding),
        Appearance(),
        settings.activation,
        settings.sigma,
        device,
    )
    sets = read_people(settings, settings.dev, report)
    names = [str(parse_set(text).annotations) for text in settings.dev]
    chosen = [
        people.select(np.arange(min(len(people), settings.validate_people))) for people in sets
    ]
    return {name: _validator(monitor, some) for name, some in zip(names, chosen, strict=True)}


def _validator(monitor: Monitor, people: People) -> Callable[[nn.Module], dict[str, float]]:
    return lambda network: monitor.measure(network, people)
