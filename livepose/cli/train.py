"""``livepose train pose|detector|pack|join|export|plot``."""

import logging
import shutil
from argparse import SUPPRESS, ArgumentParser, Namespace
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.options import add_options, options
from livepose.errors import INTERRUPTED_EXIT_CODE, DataError, UsageError

if TYPE_CHECKING:
    from livepose.training.loop import Ended
    from livepose.training.settings import RunSettings

EXAMPLES = """examples:
  livepose train pose --name first --data coco/images.zip:coco/annotations.json --crops 200000
  livepose train pose --name first --resume
  livepose train detector --name person --data coco/images.zip:coco/boxes.json --pictures 70000
  livepose train pack --data coco/images.zip:coco/annotations.json --output people.pack
  livepose train pose --name gpu --data pack:people.pack --budget-minutes 9 --export-parts parts
  livepose train join --parts parts --output pose.safetensors
"""
RUNS = Path("runs")
logger = logging.getLogger(__name__)


def register(subparsers: Any) -> None:
    """Adds ``train`` and what can be trained to the command line."""
    from argparse import RawDescriptionHelpFormatter

    from livepose.training.settings import (
        AugmentSettings,
        DetectorSettings,
        PackSettings,
        PoseSettings,
    )

    parser = subparsers.add_parser(
        "train",
        help="train the networks",
        description="Trains the pose network and the person detector.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True)
    pose = _run_parser(what, "pose", "train a pose network")
    add_options(pose, PoseSettings)
    add_options(pose.add_argument_group("augmentation"), AugmentSettings)
    pose.add_argument("--export", metavar="FILE", type=Path, help="weights, at the end")
    pose.add_argument("--export-parts", metavar="DIR", type=Path, help="the same in parts < 16 MB")
    detector = _run_parser(what, "detector", "train a person detector")
    add_options(detector, DetectorSettings)
    detector.add_argument("--export", metavar="FILE", type=Path, help="the detector, at the end")
    add_options(what.add_parser("pack", help="a small file of crops, to carry"), PackSettings)
    _register_results(what)


def _run_parser(what: Any, name: str, help_text: str) -> ArgumentParser:
    # Options that were not given stay out of the namespace: a resumed run has its own.
    parser: ArgumentParser = what.add_parser(name, help=help_text, argument_default=SUPPRESS)
    parser.add_argument("--name", required=True, help="of the run: its folder is runs/NAME")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of all runs (runs)")
    parser.add_argument("--resume", action="store_true", help="go on with the run of this name")
    return parser


def _register_results(what: Any) -> None:
    export = what.add_parser("export", help="write a run's weights with their card")
    export.add_argument("--dev", metavar="IMAGES:ANNOTATIONS", action="append", default=[])
    export.add_argument("--export-parts", metavar="DIR", type=Path, help="also in parts < 16 MB")
    plot = what.add_parser("plot", help="draw the log of a run as PNG")
    for parser in (export, plot):
        parser.add_argument("--name", required=True, help="of the run")
        parser.add_argument("--runs", type=Path, default=RUNS)
        parser.add_argument("--output", metavar="FILE", type=Path)
    join = what.add_parser("join", help="put the parts of weights together and verify them")
    join.add_argument("--parts", metavar="DIR", type=Path, required=True)
    join.add_argument("--output", metavar="FILE", type=Path)


def run(arguments: Namespace) -> int:
    """Does what was asked for."""
    commands = {
        "pose": run_pose,
        "detector": run_detector,
        "pack": run_pack,
        "export": run_export,
        "join": run_join,
        "plot": run_plot,
    }
    return commands[arguments.what](arguments)


def folder_of(arguments: Namespace) -> Path:
    """The folder of the run; its name is a plain one."""
    name = str(arguments.name)
    if not name or name in (".", "..") or set(name) & set("/\\:\0"):
        raise UsageError(f"--name: expected a plain name, got {name!r}")
    runs: Path = arguments.runs
    return runs / name


def settings_of(arguments: Namespace, kind: "type[RunSettings]") -> "RunSettings":
    """The options as settings; those of a resumed run come from its folder."""
    if not getattr(arguments, "resume", False):
        return options(kind, arguments)
    file = folder_of(arguments) / "settings.json"
    if not file.is_file():
        raise UsageError(f"{file.parent}: there is no run to go on with (no settings.json)")
    from livepose.training.checkpoint import read_checkpoint
    from livepose.training.schedule import Schedule

    try:
        saved = kind.from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    content = read_checkpoint(file.parent)
    done = Schedule(saved).progress(int(content["step"]), float(content["elapsed_s"]))
    names = {entry.name for entry in fields(kind)} & vars(arguments).keys()
    given = {name: getattr(arguments, name) for name in names}
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return saved.resumed(given | lists, Schedule(saved).is_decaying(done))


def run_pose(arguments: Namespace) -> int:
    """``livepose train pose``."""
    from dataclasses import replace

    from livepose.training.pose import train_pose
    from livepose.training.settings import AugmentSettings, PoseSettings

    settings = settings_of(arguments, PoseSettings)
    assert isinstance(settings, PoseSettings)  # noqa: S101
    augment = options(AugmentSettings, arguments)
    if not getattr(arguments, "resume", False):
        settings = replace(settings, augment=augment)
    elif augment != AugmentSettings():
        raise UsageError("--resume goes on as it was: leave out the augmentation options")
    folder = folder_of(arguments)
    ended = train_pose(settings, folder, getattr(arguments, "resume", False))
    if ended.trainer.processes.first:
        wanted = getattr(arguments, "export", None), getattr(arguments, "export_parts", None)
        export_weights(folder, *wanted, dev=())
    return exit_code(ended)


def run_detector(arguments: Namespace) -> int:
    """``livepose train detector``."""
    from livepose.training.detector import EXPORT, train_detector
    from livepose.training.settings import DetectorSettings

    settings = settings_of(arguments, DetectorSettings)
    assert isinstance(settings, DetectorSettings)  # noqa: S101
    folder = folder_of(arguments)
    ended = train_detector(settings, folder, getattr(arguments, "resume", False))
    file = folder / EXPORT
    if hasattr(arguments, "export"):
        arguments.export.parent.mkdir(parents=True, exist_ok=True)
        file = Path(shutil.copyfile(file, arguments.export))
    logger.info(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return exit_code(ended)


def exit_code(ended: "Ended") -> int:
    """Says how a run ended, for people and for scripts."""
    from livepose.training.loop import INTERRUPTED

    step = ended.trainer.step
    logger.info(f"{ended.reason} at step {step}; the checkpoint is in {ended.folder}")
    return INTERRUPTED_EXIT_CODE if ended.reason == INTERRUPTED else 0


def export_weights(
    folder: Path, output: Path | None, parts: Path | None, dev: tuple[str, ...]
) -> None:
    """Write the weights of a run, whole, in parts, or both, as asked."""
    from livepose.training.export import export_run
    from livepose.training.pack import split_file

    if output is None and parts is None:
        return
    file = output or folder / f"{folder.name}.safetensors"
    export_run(folder, file, dev)
    if parts is not None:
        count = len(split_file(file, parts))
        logger.info(f"{parts}: {count} parts; livepose train join joins them")


def run_export(arguments: Namespace) -> int:
    """``livepose train export``."""
    folder = folder_of(arguments)
    output = arguments.output or folder / f"{folder.name}.safetensors"
    export_weights(folder, output, arguments.export_parts, tuple(arguments.dev))
    return 0


def run_join(arguments: Namespace) -> int:
    """``livepose train join``."""
    from livepose.training.pack import join_parts
    from livepose.weights import load_network

    file = join_parts(arguments.parts, arguments.output)
    if file.suffix == ".safetensors":
        load_network(file)
    logger.info(f"{file}: joined and verified")
    return 0


def run_plot(arguments: Namespace) -> int:
    """``livepose train plot``."""
    from livepose.training.log import plot_run

    logger.info(f"drawn: {plot_run(folder_of(arguments), arguments.output)}")
    return 0


def run_pack(arguments: Namespace) -> int:
    """``livepose train pack``."""
    from livepose.training.data import read_people
    from livepose.training.pack import write_pack
    from livepose.training.settings import PackSettings

    how = options(PackSettings, arguments)
    write_pack(read_people(how), how)
    return 0
