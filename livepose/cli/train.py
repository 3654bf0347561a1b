"""``livepose train pose|detector|pack|join|export|plot``."""

import logging
import shutil
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from livepose.cli.options import Command, given_of, options
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
  livepose train detector --name person --data coco/images.zip:coco/boxes.json --pictures 70000
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
    """How a run starts."""

    resume: bool = option(False, "go on with the run of this name")


@dataclass(frozen=True)
class PoseEnd:
    """What is written when a run of the pose network ends."""

    export: Path | None = option(None, "weights, at the end", metavar="FILE")
    export_parts: Path | None = option(None, "the same in parts < 16 MB", metavar="DIR")


@dataclass(frozen=True)
class DetectorEnd:
    """What is written when a run of the detector ends."""

    export: Path | None = option(None, "the detector, at the end", metavar="FILE")


@dataclass(frozen=True)
class ExportSettings(RunFolder):
    """How weights leave a run."""

    dev: tuple[str, ...] = option((), "sets to measure on", metavar="IMAGES:ANNOTATIONS")
    export_parts: Path | None = option(None, "also in parts < 16 MB", metavar="DIR")
    output: Path | None = option(None, "default: NAME.safetensors in its folder", metavar="FILE")


@dataclass(frozen=True)
class PlotSettings(RunFolder):
    """Where the log is drawn."""

    output: Path | None = option(None, "default: log.png in its folder", metavar="FILE")


@dataclass(frozen=True)
class JoinSettings:
    """Which parts, and where they go."""

    parts: Path = option(metavar="DIR")
    output: Path | None = option(None, "default: the name that the parts say", metavar="FILE")


def settings_of(kind: type[Settings], start: StartSettings, given: Namespace) -> Settings:
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


def train_pose(given: Namespace) -> int:
    """``livepose train pose``."""
    from livepose.training import pose

    start, end = options(StartSettings, given), options(PoseEnd, given)
    settings = settings_of(PoseSettings, start, given)
    trainer = pose.train_pose(settings, start.folder, start.resume)
    if trainer.processes.first and (end.export or end.export_parts):
        export_weights(start.folder, end.export, end.export_parts)
    return exit_code(trainer)


def train_detector(given: Namespace) -> int:
    """``livepose train detector``."""
    from livepose.training import detector

    start, end = options(StartSettings, given), options(DetectorEnd, given)
    settings = settings_of(DetectorSettings, start, given)
    trainer = detector.train_detector(settings, start.folder, start.resume)
    file = start.folder / detector.EXPORT
    if end.export is not None:
        end.export.parent.mkdir(parents=True, exist_ok=True)
        file = Path(shutil.copyfile(file, end.export))
    logger.info(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return exit_code(trainer)


def exit_code(trainer: "Trainer") -> int:
    """Says how a run ended, for people and for scripts."""
    from livepose.training.loop import INTERRUPTED

    logger.info(f"{trainer.ended} at step {trainer.step}; the checkpoint is in {trainer.folder}")
    return INTERRUPTED_EXIT_CODE if trainer.ended == INTERRUPTED else 0


def export_weights(
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


def export_run(given: Namespace) -> None:
    """``livepose train export``."""
    how = options(ExportSettings, given)
    export_weights(how.folder, how.output, how.export_parts, how.dev)


def join(given: Namespace) -> None:
    """``livepose train join``."""
    from livepose.training.pack import join_parts
    from livepose.weights import load_network

    how = options(JoinSettings, given)
    file = join_parts(how.parts, how.output)
    if file.suffix == ".safetensors":
        load_network(file)
    logger.info(f"{file}: joined and verified")


def plot(given: Namespace) -> None:
    """``livepose train plot``."""
    from livepose.training.records import plot_run

    how = options(PlotSettings, given)
    logger.info(f"drawn: {plot_run(how.folder, how.output)}")


def pack(given: Namespace) -> None:
    """``livepose train pack``."""
    from livepose.training.data import read_people
    from livepose.training.pack import write_pack

    how = options(PackSettings, given)
    write_pack(read_people(how), how)


POSE = (StartSettings, PoseSettings, PoseEnd)
DETECTOR = (StartSettings, DetectorSettings, DetectorEnd)
TRAIN = Command(
    "Trains the pose network and the person detector.",
    parts={
        "pose": Command("train a pose network", POSE, train_pose),
        "detector": Command("train a person detector", DETECTOR, train_detector),
        "pack": Command("a small file of crops, to carry", [PackSettings], pack),
        "export": Command("write a run's weights with their card", [ExportSettings], export_run),
        "plot": Command("draw the log of a run as PNG", [PlotSettings], plot),
        "join": Command("put the parts of weights together and verify them", [JoinSettings], join),
    },
    epilog=EXAMPLES,
)
