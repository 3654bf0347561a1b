"""``livepose train pose|detector|plot|pack|join``."""

import logging
import shutil
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from livepose.cli.options import Command, command, given_of, options
from livepose.errors import INTERRUPTED_EXIT_CODE, DataError, UsageError
from livepose.settings import option
from livepose.training.settings import (
    DetectorSettings,
    PackSettings,
    PoseSettings,
    RunSettings,
)

Settings = TypeVar("Settings", bound=RunSettings)

EXAMPLES = """examples:
  livepose train pose --name first --data coco/images.zip:coco/annotations.json --crops 200000
  livepose train pose --name first --resume
  livepose train detector --name person --data coco/images.zip:coco/boxes.json --images 70000
  livepose train pack --data coco/images.zip:coco/annotations.json --output people.pack
  livepose train pose --name gpu --data pack:people.pack --budget-minutes 9 --export-parts parts
  livepose train join --parts parts --output pose.safetensors
"""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFolder:
    """Where a run is."""

    name: str = option(help="of the run: its folder is runs/NAME")
    runs: Path = option(Path("runs"), "folder of all runs")

    @property
    def folder(self) -> Path:
        """The folder of the run; its name is a plain one."""
        if not self.name or self.name in (".", "..") or set(self.name) & set("/\\:\0"):
            raise UsageError(f"--name: expected a plain name, got {self.name!r}")
        return self.runs / self.name


@dataclass(frozen=True)
class StartSettings(RunFolder):
    """How a run starts, and where its weights go when it ends or is interrupted."""

    resume: bool = option(False, "go on with the run of this name")
    export: Path | None = option(None, "a copy of the weights", metavar="FILE")
    export_parts: Path | None = option(None, "the same in parts < 16 MB", metavar="DIR")


def _settings_of(kind: type[Settings], start: StartSettings, given: Namespace) -> Settings:
    """The options as settings; those of a resumed run come from its folder."""
    if not start.resume:
        return options(kind, given)
    file = start.folder / "settings.json"
    if not file.is_file():
        raise UsageError(f"{file.parent}: there is no run to go on with (no settings.json)")
    from livepose.training.loop import Schedule
    from livepose.training.records import read_checkpoint

    try:
        saved = kind.from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    content = read_checkpoint(file.parent)
    done = Schedule(saved).progress(int(content["step"]), float(content["elapsed_s"]))
    return saved.resumed(given_of(kind, given), Schedule(saved).is_decaying(done))


def _train_pose(given: Namespace) -> int:
    from livepose.training.pose import PoseTask

    return _train(PoseTask, PoseSettings, given)


def _train_detector(given: Namespace) -> int:
    from livepose.training.detector import DetectorTask

    return _train(DetectorTask, DetectorSettings, given)


def _train(make: Any, kind: type[RunSettings], given: Namespace) -> int:
    from livepose.training.loop import train
    from livepose.training.pack import split_file

    start = options(StartSettings, given)
    trainer = train(make, _settings_of(kind, start, given), start.folder, start.resume)
    file = start.folder / make.file
    if trainer.processes.first and start.export is not None:
        start.export.parent.mkdir(parents=True, exist_ok=True)
        file = Path(shutil.copyfile(file, start.export))
    if trainer.processes.first and start.export_parts is not None:
        split_file(file, start.export_parts)
    ended = "finished" if trainer.finished else "interrupted"
    logger.info(f"{ended} at step {trainer.step}; the weights are {file}")
    return 0 if trainer.finished else INTERRUPTED_EXIT_CODE


@command("a small file of crops, to carry")
def _pack(settings: PackSettings) -> None:
    from livepose.sinks.sink import check_outputs
    from livepose.training.data import parse_set, read_people
    from livepose.training.pack import write_pack

    settings.output.parent.mkdir(parents=True, exist_ok=True)
    read = [parse_set(text).annotations for text in settings.data]
    check_outputs({"--output": settings.output}, read, overwrite=settings.overwrite)
    write_pack(read_people(settings), settings)


@command("put the parts of weights together and verify them")
def _join(
    parts: Path = option(metavar="DIR"),
    output: Path | None = option(None, "default: the name that the parts say", metavar="FILE"),
    overwrite: bool = option(False, "replace an output that is there"),
) -> None:
    from livepose.sinks.sink import check_outputs
    from livepose.training.pack import join_parts

    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        check_outputs({"--output": output}, overwrite=overwrite)
    logger.info(f"{join_parts(parts, output)}: joined and verified")


@command("draw the log of a run")
def _plot(run: RunFolder) -> None:
    from livepose.training.records import plot_run

    logger.info(f"drawn: {plot_run(run.folder)}")


TRAIN = Command(
    "Trains the pose network and the person detector.",
    parts={
        "pose": Command("train a pose network", [StartSettings, PoseSettings], _train_pose),
        "detector": Command(
            "train a person detector", [StartSettings, DetectorSettings], _train_detector
        ),
        "plot": _plot,
        "pack": _pack,
        "join": _join,
    },
    epilog=EXAMPLES,
)
