"""From settings to a finished run: read the data, train, and say how it ended."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from livepose.errors import DataError, UsageError
from livepose.skeletons import SKELETONS
from livepose.training.checkpoint import NAME as CHECKPOINT
from livepose.training.pack import read_pack
from livepose.training.people import People, SetReader, join, parse_set
from livepose.training.problems import Problems
from livepose.training.processes import Processes, choose_device
from livepose.training.settings import TrainSettings, write_settings
from livepose.training.trainer import Trainer
from livepose.training.validators import build_validators

logger = logging.getLogger(__name__)

RUNS = Path("runs")
PACK = "pack:"


@dataclass(frozen=True)
class Ended:
    """A run that came to an end for now."""

    reason: str
    folder: Path
    trainer: Trainer


def read_people(settings: TrainSettings, texts: Sequence[str]) -> list[People]:
    """The keypoint sets that ``texts`` name, one by one; what is wrong with them is reported.

    Raises
    ------
    DataError, UsageError
        When a set cannot be used at all, or (in strict mode) anything in it is wrong.
    """
    sets = []
    for text in texts:
        problems = Problems(settings.strict_data)
        sets.append(_read_one(settings, text, problems))
        problems.tell()
        logger.info(f"{text}: {len(sets[-1])} people, {len(sets[-1].pictures)} pictures")
    return sets


def _read_one(settings: TrainSettings, text: str, problems: Problems) -> People:
    workers = max(2, settings.workers)
    if text.startswith(PACK):
        file = Path(text.removeprefix(PACK))
        return read_pack(file, SKELETONS[settings.skeleton].name, problems, settings.cache, workers)
    spec = parse_set(text)
    noisy = any(part in str(spec.annotations) for part in settings.noisy)
    reader = SetReader(spec, SKELETONS[settings.skeleton], problems, noisy)
    return reader.read(settings.cache, workers)


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


def train(settings: TrainSettings, folder: Path, resume: bool) -> Ended:
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
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    if not processes.first:
        logging.getLogger("livepose.training").setLevel(logging.ERROR)
    try:
        people = join(read_people(settings, settings.data))
        logger.info(f"{len(people)} people to learn from, on {device}")
        validators = build_validators(
            settings, device, lambda text: _read_one(settings, text, Problems())
        )
        if processes.first and not resume:
            write_settings(settings, folder)
        trainer = Trainer(settings, folder, people, device, processes, validators)
        if resume:
            trainer.resume()
        return Ended(trainer.run(), folder, trainer)
    finally:
        processes.leave()


def set_threads(settings: TrainSettings) -> None:
    """Threads of torch as asked; OpenCV works in the threads that prepare batches."""
    cv2.setNumThreads(1)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
