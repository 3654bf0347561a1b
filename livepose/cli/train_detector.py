"""``livepose train detector``: by ultralytics' trainer, or by livepose's own loop."""

import logging
import shutil
from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from typing import Any

from livepose.errors import INTERRUPTED_EXIT_CODE, UsageError

logger = logging.getLogger(__name__)

COMMON = frozenset({"command", "what", "name", "runs", "resume", "loop", "export"})


def run_name(text: str) -> str:
    """The name of a run, which is the name of a folder."""
    if not text or text in (".", "..") or set(text) & set("/\\:\0"):
        raise UsageError(f"--name: expected a plain name, got {text!r}")
    return text


def run_detector(arguments: Namespace) -> int:
    """``livepose train detector``."""
    folder = arguments.runs / run_name(arguments.name)
    resume = getattr(arguments, "resume", False)
    given = {name: value for name, value in vars(arguments).items() if name not in COMMON}
    loops = {"ultralytics": run_ultralytics, "livepose": run_livepose}
    file, code = loops[arguments.loop](given, folder, resume)
    if hasattr(arguments, "export"):
        arguments.export.parent.mkdir(parents=True, exist_ok=True)
        file = Path(shutil.copyfile(file, arguments.export))
    logger.info(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return code


def run_ultralytics(given: dict[str, Any], folder: Path, resume: bool) -> tuple[Path, int]:
    """Write the dataset and let ultralytics train from it."""
    from livepose.training.detector_data import BoxSettings, write_dataset
    from livepose.training.detector_training import (
        DetectorSettings,
        check_folder,
        train_detector,
    )
    from livepose.training.people import parse_set
    from livepose.training.problems import Problems

    check_folder(folder, resume)
    boxes = {name: given.pop(name) for name in ("one_boxed", "backgrounds") if name in given}
    if "one_boxed" in boxes:
        boxes["one_boxed"] = tuple(boxes["one_boxed"])
    specs = [parse_set(text) for text in given.pop("data")]
    problems = Problems(given.pop("strict_data", False))
    settings = DetectorSettings(**known(given, DetectorSettings, "ultralytics"))
    how = BoxSettings(**boxes, seed=settings.seed)
    dataset = write_dataset(specs, folder / "dataset", how, problems)
    problems.tell()
    logger.info(f"{dataset.pictures} pictures with {dataset.boxes} boxes in {dataset.folder}")
    return train_detector(settings, dataset, folder, resume), 0


def run_livepose(given: dict[str, Any], folder: Path, resume: bool) -> tuple[Path, int]:
    """Train in livepose's own loop."""
    from livepose.training.detector_loop import INTERRUPTED, train_in_loop
    from livepose.training.detector_settings import LoopSettings
    from livepose.training.detector_training import EXPORT
    from livepose.training.run import check_folder

    for name in ("data", "one_boxed"):
        if name in given:
            given[name] = tuple(given[name])
    settings = LoopSettings(**known(given, LoopSettings, "livepose"))
    check_folder(folder, resume)
    ended = train_in_loop(settings, folder, resume)
    logger.info(f"{ended}; the checkpoint is in {folder}")
    return folder / EXPORT, INTERRUPTED_EXIT_CODE if ended == INTERRUPTED else 0


def known(given: dict[str, Any], settings: type, loop: str) -> dict[str, Any]:
    """The options, none of which belongs to the other loop alone.

    Raises
    ------
    UsageError
        Naming the first that does.
    """
    strange = sorted(given.keys() - {entry.name for entry in fields(settings)})
    if strange:
        option = "no-decay" if strange[0] == "decay" else strange[0].replace("_", "-")
        raise UsageError(
            f"--{option} is no option of --loop {loop}; see livepose train detector -h"
        )
    return given
