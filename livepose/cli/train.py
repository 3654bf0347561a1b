"""``livepose train pose|detector|pack|join|export|plot``."""

import logging
import shutil
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from livepose.cli.options import Command, command, given_of, options
from livepose.errors import INTERRUPTED_EXIT_CODE, DataError, UsageError
from livepose.settings import option
from livepose.training.settings import (
    DetectorSettings,
    PackSettings,
    PoseSettings,
    RunSettings,
)

if TYPE_CHECKING:
    from livepose.training.loop import Trainer

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
    """How a run starts, and what is written when it ends."""

    resume: bool = option(False, "go on with the run of this name")
    export: Path | None = option(None, "weights, at the end", metavar="FILE")


@dataclass(frozen=True)
class PoseStartSettings(StartSettings):
    """The same of the pose network."""

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


def _ended(trainer: "Trainer") -> int:
    """Says how a run ended, for people and for scripts."""
    from livepose.training.loop import INTERRUPTED

    logger.info(f"{trainer.ended} at step {trainer.step}; the checkpoint is in {trainer.folder}")
    return INTERRUPTED_EXIT_CODE if trainer.ended == INTERRUPTED else 0


def _export(
    folder: Path, output: Path | None, parts: Path | None, dev: tuple[str, ...] = ()
) -> None:
    """Writes the weights of a run, and the same in parts where these are asked for."""
    from livepose.training.export import export_run
    from livepose.training.pack import split_file

    file = output or folder / f"{folder.name}.safetensors"
    export_run(folder, file, dev)
    if parts is not None:
        count = len(split_file(file, parts))
        logger.info(f"{parts}: {count} parts; livepose train join joins them")


def _train_pose(given: Namespace) -> int:
    from livepose.training.loop import train
    from livepose.training.pose import PoseTask

    start = options(PoseStartSettings, given)
    settings = _settings_of(PoseSettings, start, given)
    trainer = train(PoseTask, settings, start.folder, start.resume)
    if trainer.processes.first and (start.export or start.export_parts):
        _export(start.folder, start.export, start.export_parts)
    return _ended(trainer)


def _train_detector(given: Namespace) -> int:
    from livepose.training.detector import EXPORT, DetectorTask
    from livepose.training.loop import train

    start = options(StartSettings, given)
    settings = _settings_of(DetectorSettings, start, given)
    trainer = train(DetectorTask, settings, start.folder, start.resume)
    file = start.folder / EXPORT
    if start.export is not None:
        start.export.parent.mkdir(parents=True, exist_ok=True)
        file = Path(shutil.copyfile(file, start.export))
    logger.info(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return _ended(trainer)


@command("write a run's weights with their card")
def _export_run(
    run: RunFolder,
    dev: tuple[str, ...] = option((), "sets to measure on", metavar="IMAGES:ANNOTATIONS"),
    export_parts: Path | None = option(None, "also in parts < 16 MB", metavar="DIR"),
    output: Path | None = option(None, "default: NAME.safetensors in its folder", metavar="FILE"),
) -> None:
    _export(run.folder, output, export_parts, dev)


@command("put the parts of weights together and verify them")
def _join(
    parts: Path = option(metavar="DIR"),
    output: Path | None = option(None, "default: the name that the parts say", metavar="FILE"),
) -> None:
    from livepose.training.pack import join_parts
    from livepose.weights import load_network

    file = join_parts(parts, output)
    if file.suffix == ".safetensors":
        load_network(file)
    logger.info(f"{file}: joined and verified")


@command("draw the log of a run as PNG")
def _plot(
    run: RunFolder,
    output: Path | None = option(None, "default: log.png in its folder", metavar="FILE"),
) -> None:
    from livepose.training.records import plot_run

    logger.info(f"drawn: {plot_run(run.folder, output)}")


@command("a small file of crops, to carry")
def _pack(settings: PackSettings) -> None:
    from livepose.training.data import read_people
    from livepose.training.pack import write_pack

    write_pack(read_people(settings), settings)


TRAIN = Command(
    "Trains the pose network and the person detector.",
    parts={
        "pose": Command("train a pose network", [PoseStartSettings, PoseSettings], _train_pose),
        "detector": Command(
            "train a person detector", [StartSettings, DetectorSettings], _train_detector
        ),
        "pack": _pack,
        "export": _export_run,
        "plot": _plot,
        "join": _join,
    },
    epilog=EXAMPLES,
)
