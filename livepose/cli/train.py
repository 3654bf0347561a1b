"""``livepose train pose|detector|pack|join|export|plot``."""

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.errors import INTERRUPTED_EXIT_CODE, UsageError

if TYPE_CHECKING:
    from livepose.offline.training.settings import TrainSettings

EXAMPLES = """examples:
  livepose train pose --name first --data coco/images.zip:coco/annotations.json --crops 200000
  livepose train pose --name first --resume
  livepose train pack --data coco/images.zip:coco/annotations.json --output people.pack
  livepose train pose --name gpu --data pack:people.pack --budget-minutes 9 --export-parts parts
  livepose train join --parts parts --output pose.safetensors
"""
NOT_SETTINGS = frozenset({"command", "what", "name", "resume", "export", "export_parts", "runs"})


def report(message: str) -> None:
    """One sentence to whoever watches."""
    print(f"livepose: {message}", file=sys.stderr, flush=True)


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
    commands = {"pose": run_pose}
    return commands[arguments.what](arguments)


def run_pose(arguments: Namespace) -> int:
    """``livepose train pose``."""
    from livepose.offline.training.run import RUNS, train
    from livepose.offline.training.trainer import INTERRUPTED

    folder = getattr(arguments, "runs", RUNS) / run_name(arguments.name)
    resume = getattr(arguments, "resume", False)
    ended = train(pose_settings(arguments, folder, resume), folder, resume, report)
    report(f"{ended.reason} at step {ended.trainer.step}; the checkpoint is in {folder}")
    return INTERRUPTED_EXIT_CODE if ended.reason == INTERRUPTED else 0


def run_name(text: str) -> str:
    """The name of a run, which is the name of a folder."""
    if not text or text in (".", "..") or set(text) & set("/\\:\0"):
        raise UsageError(f"--name: expected a plain name, got {text!r}")
    return text


def pose_settings(arguments: Namespace, folder: Path, resume: bool) -> "TrainSettings":
    """The options as settings; those of a resumed run come from its folder."""
    from livepose.offline.training.plan import AugmentSettings
    from livepose.offline.training.settings import TrainSettings, resumed_settings

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
