"""``livepose train pose|detector|pack|join|export|plot``."""

import logging
from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.train_detector import run_detector, run_name
from livepose.errors import INTERRUPTED_EXIT_CODE, UsageError
from livepose.skeletons import SKELETONS

if TYPE_CHECKING:
    from livepose.training.settings import TrainSettings

logger = logging.getLogger(__name__)

EXAMPLES = """examples:
  livepose train pose --name first --data coco/images.zip:coco/annotations.json --crops 200000
  livepose train pose --name first --resume
  livepose train pack --data coco/images.zip:coco/annotations.json --output people.pack
  livepose train pose --name gpu --data pack:people.pack --budget-minutes 9 --export-parts parts
  livepose train join --parts parts --output pose.safetensors
"""
NOT_SETTINGS = frozenset({"command", "what", "name", "resume", "export", "export_parts", "runs"})


def register(subparsers: Any) -> None:
    """Adds ``train`` and what can be trained to the command line."""
    from argparse import RawDescriptionHelpFormatter

    parser = subparsers.add_parser(
        "train",
        help="train the networks",
        description="Trains the pose network and the person detector.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True)
    _register_pose(what)
    _register_detector(what)
    _register_pack(what)
    _register_results(what)


def _register_pose(what: Any) -> None:
    # Options that were not given stay out of the namespace: a resumed run has its own.
    pose = what.add_parser("pose", help="train a pose network", argument_default=SUPPRESS)
    pose.add_argument("--name", required=True, help="of the run: its folder is runs/NAME")
    pose.add_argument("--runs", type=Path, help="folder of all runs (default: runs)")
    pose.add_argument("--resume", action="store_true", help="go on with the run of this name")
    _add_data(pose)
    _add_model(pose)
    _add_learning(pose)
    _add_length(pose)
    _add_machine(pose)
    _add_augmentation(pose)
    pose.add_argument("--export", metavar="FILE", type=Path, help="weights, at the end")
    pose.add_argument("--export-parts", metavar="DIR", type=Path, help="the same in parts < 16 MB")


def _register_detector(what: Any) -> None:
    # Options that were not given stay out: each loop has its own defaults, and its own options.
    detector = what.add_parser(
        "detector", help="train a person detector", argument_default=SUPPRESS
    )
    detector.add_argument("--name", required=True, help="of the run: its folder is runs/NAME")
    detector.add_argument("--runs", type=Path, default=Path("runs"))
    detector.add_argument("--resume", action="store_true", help="go on with the run of this name")
    detector.add_argument(
        "--loop",
        choices=("ultralytics", "livepose"),
        default="ultralytics",
        help="whose training loop; livepose's learns more a second on a processor",
    )
    form = "IMAGES:ANNOTATIONS[:WEIGHT]"
    detector.add_argument("--data", metavar=form, action="append", required=True)
    detector.add_argument(
        "--one-boxed", metavar="TEXT", action="append", help="sets with one box a picture"
    )
    detector.add_argument("--strict-data", action="store_true", help="refuse the first bad datum")
    detector.add_argument("--input-px", type=int, help="default: 320")
    detector.add_argument("--batch", type=int, help="default: 16, livepose 32")
    detector.add_argument(
        "--budget-minutes", "--minutes", metavar="M", dest="budget_minutes", type=float
    )
    detector.add_argument("--lr", type=float, help="livepose: of Muon (default: 0.02)")
    detector.add_argument("--precision", choices=("bf16", "fp32"))
    detector.add_argument("--seed", type=int)
    detector.add_argument("--threads", metavar="N", type=int)
    detector.add_argument("--init", metavar="FILE", type=Path, help="a detector to start from")
    detector.add_argument("--export", metavar="FILE", type=Path)
    _add_ultralytics_loop(detector)
    _add_own_loop(detector)


def _add_ultralytics_loop(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("--loop ultralytics alone")
    group.add_argument("--epochs", type=int, help="default: 100")
    group.add_argument("--backgrounds", metavar="SHARE", type=float, help="default: 0.1")
    group.add_argument("--optimiser", help="in ultralytics' words")
    group.add_argument("--scale", type=float)
    group.add_argument("--rotation-deg", type=float)
    group.add_argument("--close-mosaic", metavar="EPOCHS", type=int)
    group.add_argument("--device", help="default: cpu")
    group.add_argument("--workers", metavar="N", type=int)


def _add_own_loop(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("--loop livepose alone (length: --pictures or --minutes)")
    group.add_argument("--pictures", metavar="N", type=int, help="schedule by pictures seen")
    group.add_argument(
        "--complete-with", metavar="FILE", type=Path, help="a detector: boxes for --one-boxed sets"
    )
    group.add_argument("--dev", metavar="IMAGES:ANNOTATIONS", help="measured at the end: AP, AP50")
    group.add_argument("--mosaic", metavar="SHARE", type=float, help="default: 0.3")
    group.add_argument("--warm-up-steps", metavar="N", type=int, help="default: 60")
    group.add_argument("--no-decay", dest="decay", action="store_false", help="keep the rate")
    group.add_argument("--cache", choices=("decoded", "encoded"), help="pictures in memory")
    group.add_argument("--log-every", metavar="STEPS", type=int)
    group.add_argument("--checkpoint-minutes", type=float)


def _register_pack(what: Any) -> None:
    pack = what.add_parser("pack", help="make a small file of crops for a rented machine")
    form = "IMAGES:ANNOTATIONS[:WEIGHT]"
    pack.add_argument("--data", metavar=form, action="append", required=True)
    pack.add_argument("--output", metavar="FILE", type=Path, required=True)
    pack.add_argument("--max-mb", type=float, default=60.0, help="size of the file (default: 60)")
    pack.add_argument("--side-px", type=int, default=192, help="of each crop (default: 192)")
    pack.add_argument("--context", type=float, default=1.7, help="of the box (default: 1.7)")
    pack.add_argument("--encoding", choices=("webp", "jpeg"), default="webp")
    pack.add_argument("--noisy", metavar="TEXT", action="append", help="sets with unsure labels")
    pack.add_argument("--strict-data", action="store_true", help="refuse the first bad datum")
    pack.add_argument("--skeleton", default="coco17")
    pack.add_argument("--workers", metavar="N", type=int, default=2)


def _register_results(what: Any) -> None:
    export = what.add_parser("export", help="write a run's weights with their card")
    export.add_argument("--name", required=True, help="of the run")
    export.add_argument("--runs", type=Path, default=Path("runs"))
    export.add_argument("--dev", metavar="IMAGES:ANNOTATIONS", action="append", default=[])
    export.add_argument("--output", metavar="FILE", type=Path)
    export.add_argument("--export-parts", metavar="DIR", type=Path, help="also in parts < 16 MB")
    join = what.add_parser("join", help="put the parts of weights together and verify them")
    join.add_argument("--parts", metavar="DIR", type=Path, required=True)
    join.add_argument("--output", metavar="FILE", type=Path)
    plot = what.add_parser("plot", help="draw the log of a run as PNG")
    plot.add_argument("--name", required=True, help="of the run")
    plot.add_argument("--runs", type=Path, default=Path("runs"))
    plot.add_argument("--output", metavar="FILE", type=Path)


def _add_data(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    form = "IMAGES:ANNOTATIONS[:WEIGHT]"
    group.add_argument("--data", metavar=form, action="append", help="or pack:FILE; repeatable")
    group.add_argument("--dev", metavar="IMAGES:ANNOTATIONS", action="append", help="to watch")
    group.add_argument("--noisy", metavar="TEXT", action="append", help="sets with unsure labels")
    group.add_argument("--strict-data", action="store_true", help="refuse the first bad datum")
    group.add_argument("--cache", choices=("decoded", "encoded"), help="pictures in memory")
    group.add_argument("--workers", metavar="N", type=int, help="threads that prepare batches")


def _add_model(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("network and targets")
    group.add_argument("--network", help="default: hrnet_w32")
    group.add_argument("--skeleton", help="default: coco17")
    group.add_argument("--size", dest="input_hw", metavar="HxW", type=size_hw)
    group.add_argument("--alignment", help="default: pixel_centre")
    group.add_argument("--targets", choices=("dark", "standard"))
    group.add_argument("--sigma", type=float, help="of the targets, in heatmap cells")
    group.add_argument("--loss", choices=("softmax", "mse"))
    group.add_argument("--mse-last", metavar="SHARE", type=float, help="squared error at the end")
    group.add_argument("--init", metavar="FILE", help="weights to start from")


def _add_learning(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("learning")
    group.add_argument("--optimiser", choices=("adamw", "muon"))
    group.add_argument("--lr", type=float, help="default: 0.001 for adamw, 0.02 for muon")
    group.add_argument("--adam-lr", type=float, help="beside muon")
    group.add_argument("--weight-decay", type=float)
    group.add_argument("--batch", type=int, help="crops a step, over all processes")
    group.add_argument("--warm-up-steps", type=int)
    group.add_argument("--no-decay", dest="decay", action="store_false", help="keep the rate")
    group.add_argument("--ema-decay", type=float)
    group.add_argument("--clip-norm", type=float)
    group.add_argument("--precision", choices=("bf16", "fp16", "fp32"))
    group.add_argument("--seed", type=int)


def _add_length(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("length (one of --crops and --budget-minutes)")
    group.add_argument("--crops", type=int, help="schedule by crops seen")
    group.add_argument("--budget-minutes", type=float, help="schedule by time")
    group.add_argument("--stop-after-minutes", type=float, help="pause there, to go on later")
    group.add_argument("--checkpoint-minutes", type=float)
    group.add_argument("--log-every", metavar="STEPS", type=int)
    group.add_argument("--validate-every", metavar="STEPS", type=int)
    group.add_argument("--validate-people", metavar="N", type=int)
    group.add_argument("--validate-pictures", metavar="N", type=int)


def _add_machine(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("machine")
    group.add_argument("--device", help="auto, cpu or cuda:N")
    group.add_argument("--threads", metavar="N", type=int, help="of torch")
    group.add_argument("--compile", action="store_true", help="torch.compile")
    group.add_argument("--cache-px", metavar="PX", type=int, help="crops kept on a GPU")


def _add_augmentation(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("augmentation")
    group.add_argument("--hardness", metavar="A[..B]", type=hardness, help="default: 0..1")
    shares = ("scale", "rotation-deg", "half-body", "webcam", "colour", "blur", "noise")
    for name in (*shares, "occlusion", "edge-shake", "absent-weight"):
        group.add_argument(f"--{name}", type=float, dest=f"augment.{name.replace('-', '_')}")


def size_hw(text: str) -> tuple[int, int]:
    """``128x96`` as (128, 96): height and width."""
    from argparse import ArgumentTypeError

    height, cross, width = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise ArgumentTypeError(f"expected HEIGHTxWIDTH such as 128x96, got {text!r}")
    return int(height), int(width)


def hardness(text: str) -> tuple[float, float]:
    """``0..1`` as (0.0, 1.0); ``0.3`` as (0.3, 0.3)."""
    from argparse import ArgumentTypeError

    first, _, last = text.partition("..")
    try:
        return float(first), float(last or first)
    except ValueError as error:
        raise ArgumentTypeError(f"expected A or A..B from 0 to 1, got {text!r}") from error


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


def run_pose(arguments: Namespace) -> int:
    """``livepose train pose``."""
    from livepose.training.run import RUNS, train
    from livepose.training.trainer import INTERRUPTED

    folder = getattr(arguments, "runs", RUNS) / run_name(arguments.name)
    resume = getattr(arguments, "resume", False)
    ended = train(pose_settings(arguments, folder, resume), folder, resume)
    logger.info(f"{ended.reason} at step {ended.trainer.step}; the checkpoint is in {folder}")
    if ended.trainer.processes.first:
        wanted = getattr(arguments, "export", None), getattr(arguments, "export_parts", None)
        export_weights(folder, *wanted, dev=())
    return INTERRUPTED_EXIT_CODE if ended.reason == INTERRUPTED else 0


def export_weights(
    folder: Path, output: Path | None, parts: Path | None, dev: tuple[str, ...]
) -> None:
    """Write the weights of a run, whole, in parts, or both, as asked."""
    from livepose.training.export import export_run
    from livepose.training.parts import split_file

    if output is None and parts is None:
        return
    file = output or folder / f"{folder.name}.safetensors"
    export_run(folder, file, dev)
    if parts is not None:
        logger.info(
            f"{parts}: {len(split_file(file, parts))} parts; livepose train join joins them"
        )


def run_export(arguments: Namespace) -> int:
    """``livepose train export``."""
    folder = arguments.runs / run_name(arguments.name)
    output = arguments.output or folder / f"{folder.name}.safetensors"
    export_weights(folder, output, arguments.export_parts, tuple(arguments.dev))
    return 0


def run_join(arguments: Namespace) -> int:
    """``livepose train join``."""
    from livepose.training.parts import join_parts
    from livepose.weights import load_network

    file = join_parts(arguments.parts, arguments.output)
    if file.suffix == ".safetensors":
        load_network(file)
    logger.info(f"{file}: joined and verified")
    return 0


def run_plot(arguments: Namespace) -> int:
    """``livepose train plot``."""
    from livepose.training.plot import plot_run

    logger.info(f"drawn: {plot_run(arguments.runs / run_name(arguments.name), arguments.output)}")
    return 0


def run_pack(arguments: Namespace) -> int:
    """``livepose train pack``."""
    from livepose.training.pack import PackSettings, write_pack
    from livepose.training.people import join
    from livepose.training.run import read_people
    from livepose.training.settings import TrainSettings

    settings = TrainSettings(
        data=tuple(arguments.data),
        skeleton=arguments.skeleton,
        noisy=tuple(arguments.noisy or TrainSettings.noisy),
        strict_data=arguments.strict_data,
        workers=arguments.workers,
        crops=1,
    )
    how = PackSettings(
        max_mb=arguments.max_mb,
        side_px=arguments.side_px,
        context=arguments.context,
        encoding=arguments.encoding,
        workers=arguments.workers,
    )
    people = join(read_people(settings, settings.data))
    write_pack(people, SKELETONS[settings.skeleton].name, arguments.output, how)
    return 0


def pose_settings(arguments: Namespace, folder: Path, resume: bool) -> "TrainSettings":
    """The options as settings; those of a resumed run come from its folder."""
    from livepose.training.plan import AugmentSettings
    from livepose.training.settings import TrainSettings, resumed_settings

    given = {name: value for name, value in vars(arguments).items() if name not in NOT_SETTINGS}
    prefix = "augment."
    augment = {k.removeprefix(prefix): given.pop(k) for k in list(given) if k.startswith(prefix)}
    for name in ("data", "dev", "noisy"):
        if name in given:
            given[name] = tuple(given[name])
    if resume:
        if augment:
            raise UsageError("--resume goes on as it was: leave out the augmentation options")
        return resumed_settings(folder, given)
    return TrainSettings(**{"data": (), **given}, augment=AugmentSettings(**augment))
