"""``livepose eval coco | lsp | mpii``: results on stdout, messages on stderr."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.options import from_text, positive
from livepose.errors import GateError
from livepose.settings import RUNTIMES, parse_input_size

if TYPE_CHECKING:
    from livepose.evaluation.report import Measured
    from livepose.evaluation.settings import Choice, Progress

EXAMPLES = """examples:
  livepose eval coco --images val2017/ --annotations person_keypoints_val2017.json
  livepose eval coco --images val2017.zip --annotations person_keypoints_val2017.json \\
      --boxes detector --decode dark,shift,argmax,integral --flip-test --json coco.json
"""


def register(subparsers: Any) -> None:
    """Adds the command ``eval``."""
    from argparse import RawDescriptionHelpFormatter

    parser = subparsers.add_parser(
        "eval",
        help="accuracy and speed on annotated pictures",
        description="Measures livepose, in the configuration that runs live.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    sets = parser.add_subparsers(dest="set", metavar="coco | lsp | mpii", required=True)
    add_coco(sets.add_parser("coco", help="COCO AP"))
    add_set(sets.add_parser("lsp", help="PCK@0.2 of the torso"))
    mpii = sets.add_parser("mpii", help="PCKh@0.5 and @0.1")
    add_set(mpii)
    mpii.add_argument("--head-boxes", type=Path, metavar="FILE", help="MPII's gt_valid.mat")


def add_set(parser: ArgumentParser) -> None:
    """What every evaluation can be asked for."""
    data = parser.add_argument_group("data")
    data.add_argument("--images", type=Path, required=True, metavar="DIR|ZIP")
    data.add_argument("--annotations", type=Path, required=True, metavar="FILE")
    data.add_argument("--limit", type=positive, metavar="N", help="pictures at most")
    what = parser.add_argument_group("what is measured")
    what.add_argument("--weights", default="default", help="a name or a file")
    what.add_argument(
        "--input", type=from_text(parse_input_size), metavar="HxW", help="such as 128x96"
    )
    what.add_argument("--decode", default="dark", metavar="NAMES", help="dark,shift,argmax,...")
    what.add_argument("--flip-test", action="store_true", help="average with the mirror image")
    what.add_argument("--runtime", choices=RUNTIMES, default="auto")
    what.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    what.add_argument("--precision", default="auto", help="auto, f32, bf16, f16 or int8")
    work = parser.add_argument_group("work and output")
    work.add_argument("--batch", type=positive, default=32, metavar="N", help="crops at once")
    work.add_argument("--workers", type=positive, default=2, metavar="N", help="reading threads")
    work.add_argument("--no-speed", action="store_true", help="accuracy only")
    work.add_argument("--json", metavar="FILE", help="rows and settings, - is stdout")
    work.add_argument("--markdown", metavar="FILE", help="the table, - is stdout")


def add_coco(parser: ArgumentParser, boxes: str = "detector,gt") -> None:
    """What COCO's evaluation can be asked for beside that; ``boxes`` is the default."""
    add_set(parser)
    coco = parser.add_argument_group("coco")
    coco.add_argument(
        "--boxes", default=boxes, metavar="detector|gt|FILE,...",
        help=f"detected (end to end), annotated, of a file; several by commas ({boxes})",
    )  # fmt: skip
    coco.add_argument("--detector", default="auto", help="for detected boxes")
    coco.add_argument("--detector-threshold", type=float, default=0.05, metavar="S")
    coco.add_argument("--results", metavar="FILE", help="first row in COCO's submission form")
    coco.add_argument("--require-ap", type=float, metavar="AP", help="exit code 6 below it")


def run(arguments: Namespace) -> int:
    """Measures, prints and writes what was asked for."""
    commands = {"coco": _coco, "mpii": _mpii, "lsp": _lsp}
    check_outputs(arguments, "json", "markdown", "results")
    return commands[arguments.set](arguments)


def check_outputs(arguments: Namespace, *names: str) -> None:
    """Finds out before the work whether its results can be written."""
    from livepose.evaluation.report import require_writable

    require_writable([getattr(arguments, name, None) for name in names])


def choice(arguments: Namespace, decoders: Sequence[str] | None = None) -> "Choice":
    """The options as one object; ``decoders`` are those that --decode may name."""
    from livepose.evaluation.predict import Loading, decoder_names
    from livepose.evaluation.settings import Choice
    from livepose.heatmaps import DECODERS

    own = {
        name: getattr(arguments, name)
        for name in ("boxes", "detector", "detector_threshold")
        if hasattr(arguments, name)
    }
    return Choice(
        images=arguments.images,
        annotations=arguments.annotations,
        weights=arguments.weights,
        decoders=decoder_names(arguments.decode, decoders or sorted(DECODERS)),
        flip_test=arguments.flip_test,
        input_hw=arguments.input,
        runtime=arguments.runtime,
        device=arguments.device,
        precision=arguments.precision,
        limit=arguments.limit,
        loading=Loading(arguments.batch, arguments.workers),
        speed=not arguments.no_speed,
        **own,
    )


def _coco(arguments: Namespace) -> int:
    from livepose.evaluation.run import run_coco

    chosen = choice(arguments)
    with progress_bars() as progress:
        measured = run_coco(chosen, progress)
    show_coco(arguments, chosen, measured)
    return 0


def show_coco(arguments: Namespace, chosen: "Choice", measured: "Measured") -> None:
    """The table, the files that were asked for, and GateError where the first row is too bad."""
    from livepose.evaluation.report import COCO_COLUMNS, as_json, write_text

    _show(arguments, chosen, measured, COCO_COLUMNS, "COCO AP")
    first = measured.rows[0]
    if arguments.results:
        write_text(arguments.results, as_json(measured.results[first.title]))
    if arguments.require_ap is not None and not first.figures["ap"] >= arguments.require_ap:
        raise GateError(
            f"{first.title}: expected at least {arguments.require_ap} AP,"
            f" got {first.figures['ap']:.2f}"
        )


def _mpii(arguments: Namespace) -> int:
    from livepose.evaluation.run import MPII_COLUMNS, run_mpii

    chosen = choice(arguments)
    with progress_bars() as progress:
        measured = run_mpii(chosen, progress, arguments.head_boxes)
    _show(arguments, chosen, measured, MPII_COLUMNS, "MPII PCKh")
    return 0


def _lsp(arguments: Namespace) -> int:
    from livepose.evaluation.run import LSP_COLUMNS, run_lsp

    chosen = choice(arguments)
    with progress_bars() as progress:
        measured = run_lsp(chosen, progress)
    _show(arguments, chosen, measured, LSP_COLUMNS, "PCK@0.2 of the torso")
    return 0


def _show(
    arguments: Namespace,
    chosen: "Choice",
    measured: "Measured",
    columns: dict[str, str],
    title: str,
) -> None:
    """The table on stdout, unless something else was asked for there, and the files."""
    from livepose.evaluation.report import as_json, document, markdown, show, write_text

    name = arguments.annotations.name
    heading = f"{title}: {name}, {measured.pictures} pictures, {measured.people} people"
    outputs = (arguments.json, arguments.markdown, getattr(arguments, "results", None))
    show(measured, columns, heading, to_stderr="-" in outputs)
    if arguments.markdown:
        write_text(arguments.markdown, markdown(measured, columns))
    if arguments.json:
        write_text(arguments.json, as_json(document(measured, chosen, name)))


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """Bars on stderr, one a pass; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bars:

        def start(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=total)
            return lambda count: bars.advance(task, count)

        yield start
