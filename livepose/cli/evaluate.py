"""``livepose eval coco | mpii | lsp | quantisation | clips``, ``livepose eval --paper``."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.run import RUNTIMES, positive, report
from livepose.errors import GateError, UsageError

if TYPE_CHECKING:
    from livepose.evaluation.measured import Measured
    from livepose.evaluation.settings import Choice, Progress

EXAMPLES = """examples:
  livepose eval coco --images val2017/ --annotations person_keypoints_val2017.json
  livepose eval coco --images val2017.zip --annotations person_keypoints_val2017.json \\
      --decode dark,shift,argmax,integral --flip-test --json coco.json
  livepose eval --paper --measured coco.json
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
    parser.add_argument("--paper", action="store_true", help="the published tables")
    parser.add_argument(
        "--measured", nargs="+", type=Path, default=[], metavar="FILE",
        help="with --paper: files written by --json",
    )  # fmt: skip
    parser.add_argument("--markdown", metavar="FILE", help="with --paper: the tables, - is stdout")
    sets = parser.add_subparsers(dest="set", metavar="coco | mpii | lsp | quantisation | clips")
    _add_coco(sets.add_parser("coco", help="COCO AP"))
    _add_mpii(sets.add_parser("mpii", help="PCKh@0.5 and @0.1"))
    _add_set(sets.add_parser("lsp", help="PCK@0.2 of the torso"))
    _add_quantisation(sets.add_parser("quantisation", help="what decoding is worth, without data"))
    _add_clips(sets.add_parser("clips", help="who is found in videos, and how steadily"))


def _add_set(parser: ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--images", type=Path, required=True, metavar="DIR|ZIP")
    data.add_argument("--annotations", type=Path, required=True, metavar="FILE")
    data.add_argument("--limit", type=positive, metavar="N", help="pictures at most")
    what = parser.add_argument_group("what is measured")
    what.add_argument("--weights", default="default", help="a name or a file")
    what.add_argument("--input", type=size_hw, metavar="HxW", help="such as 128x96")
    what.add_argument("--decode", default="dark", metavar="NAMES", help="dark,shift,argmax,...")
    what.add_argument("--flip-test", action="store_true", help="average with the mirror image")
    what.add_argument(
        "--flip-study", action="store_true", help="without, with, and misaligned flip test"
    )
    what.add_argument("--runtime", choices=RUNTIMES, default="auto")
    what.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    what.add_argument("--precision", default="auto", help="auto, f32, bf16, f16 or int8")
    work = parser.add_argument_group("work and output")
    work.add_argument("--batch", type=positive, default=32, metavar="N", help="crops at once")
    work.add_argument("--workers", type=positive, default=2, metavar="N", help="reading threads")
    work.add_argument("--no-speed", action="store_true", help="accuracy only")
    work.add_argument("--json", metavar="FILE", help="rows and settings, - is stdout")
    work.add_argument("--markdown", metavar="FILE", help="the table, - is stdout")


def _add_coco(parser: ArgumentParser) -> None:
    _add_set(parser)
    coco = parser.add_argument_group("coco")
    coco.add_argument("--boxes", default="gt", metavar="gt|FILE|detector")
    coco.add_argument("--detector", default="auto", help="for --boxes detector and --pareto")
    coco.add_argument("--detector-threshold", type=float, default=0.05, metavar="S")
    coco.add_argument("--results", metavar="FILE", help="first row in COCO's submission form")
    coco.add_argument(
        "--peer", action="append", default=[], metavar="KIND:FILE",
        help="tinypose:, onnx:, movenet:, ultralytics: or livepose: and a file; may be repeated",
    )  # fmt: skip
    coco.add_argument("--peer-decode", default="dark", metavar="NAMES", help="for heatmap peers")
    coco.add_argument("--require-ap", type=float, metavar="AP", help="exit code 6 below it")
    coco.add_argument("--paper", action="store_true", help="the published tables beside")
    pareto = parser.add_argument_group("pareto")
    pareto.add_argument(
        "--pareto", type=Path, metavar="NAME", help="accuracy against ms: NAME.png, NAME.csv"
    )
    pareto.add_argument("--precisions", metavar="NAMES", help="such as f32,bf16; else --precision")
    pareto.add_argument(
        "--inputs", type=sizes_hw, metavar="SIZES", help="such as 96x64,128x96; else --input"
    )
    pareto.add_argument("--intervals", type=numbers, default=(1, 4), metavar="N,N,...")


def _add_mpii(parser: ArgumentParser) -> None:
    _add_set(parser)
    parser.add_argument("--head-boxes", type=Path, metavar="FILE", help="MPII's gt_valid.mat")


def _add_quantisation(parser: ArgumentParser) -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG, SVG or PDF")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the table, - is stdout")
    parser.add_argument("--points", type=positive, default=2000, metavar="N")


def _add_clips(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="written by --json")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the table, - is stdout")


def size_hw(text: str) -> tuple[int, int]:
    """``128x96`` as (128, 96): height first, as the published tables have it."""
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        raise ArgumentTypeError(f"expected HEIGHTxWIDTH such as 128x96, got {text!r}")
    return int(height), int(width)


def sizes_hw(text: str) -> tuple[tuple[int, int], ...]:
    """``96x64,128x96``."""
    return tuple(size_hw(one) for one in text.split(","))


def numbers(text: str) -> tuple[int, ...]:
    """``1,2,4``."""
    return tuple(positive(one) for one in text.split(","))


def run(arguments: Namespace) -> int:
    """Measures, prints and writes what was asked for."""
    commands: dict[str, Callable[[Namespace], int]] = {
        "coco": _coco,
        "mpii": _mpii,
        "lsp": _lsp,
        "quantisation": _quantisation,
        "clips": _clips,
    }
    check_outputs(arguments)
    if arguments.set is not None:
        return commands[arguments.set](arguments)
    if not arguments.paper:
        raise UsageError(
            "eval: expected coco, mpii, lsp, quantisation, clips or --paper (see --help)"
        )
    from livepose.evaluation.published import measured_rows, paper_markdown, show_paper
    from livepose.evaluation.table import write_text

    measured = measured_rows(arguments.measured)
    show_paper(measured)
    if arguments.markdown:
        write_text(arguments.markdown, paper_markdown(measured))
    return 0


def check_outputs(arguments: Namespace) -> None:
    """Finds out before the work whether its results can be written."""
    from livepose.evaluation.table import require_writable

    names = ("json", "markdown", "results", "pareto", "plot")
    require_writable([getattr(arguments, name, None) for name in names])


def choice(arguments: Namespace) -> "Choice":
    """The options as one object."""
    from livepose.evaluation.decoders import checked_names
    from livepose.evaluation.predict import Loading
    from livepose.evaluation.settings import Choice

    own = {
        name: getattr(arguments, name)
        for name in ("boxes", "detector", "detector_threshold")
        if hasattr(arguments, name)
    }
    return Choice(
        images=arguments.images,
        annotations=arguments.annotations,
        weights=arguments.weights,
        decoders=checked_names(arguments.decode),
        flip_test=arguments.flip_test,
        flip_study=arguments.flip_study,
        input_hw=arguments.input,
        runtime=arguments.runtime,
        device=arguments.device,
        precision=arguments.precision,
        peers=tuple(getattr(arguments, "peer", ())),
        peer_decoders=checked_names(getattr(arguments, "peer_decode", "dark")),
        limit=arguments.limit,
        loading=Loading(arguments.batch, arguments.workers),
        speed=not arguments.no_speed,
        **own,
    )


def _coco(arguments: Namespace) -> int:
    from livepose.evaluation.coco_run import run_coco
    from livepose.evaluation.document import as_json
    from livepose.evaluation.published import show_paper
    from livepose.evaluation.table import COCO_COLUMNS, write_text

    if arguments.pareto is not None:
        return _pareto(arguments)
    with progress_bars() as progress:
        measured = run_coco(choice(arguments), report, progress)
    _show(arguments, measured, COCO_COLUMNS, "COCO AP")
    first = measured.rows[0]
    if arguments.results:
        write_text(arguments.results, as_json(measured.results[first.title]))
    if arguments.paper:
        name = arguments.annotations.name
        show_paper([{**row.as_dict(), "set": name} for row in measured.rows])
    if arguments.require_ap is not None and not first.figures["ap"] >= arguments.require_ap:
        raise GateError(
            f"{first.title}: expected at least {arguments.require_ap} AP,"
            f" got {first.figures['ap']:.2f}"
        )
    return 0


def _pareto(arguments: Namespace) -> int:
    from dataclasses import asdict

    from livepose.evaluation.document import as_json
    from livepose.evaluation.pareto import Grid, run_pareto
    from livepose.evaluation.pareto_plot import markdown, plot, write_csv
    from livepose.evaluation.table import write_text

    if arguments.peer or arguments.results or arguments.require_ap or arguments.flip_study:
        raise UsageError(
            "--pareto measures livepose alone, with and without flip test: leave out --peer,"
            " --results, --require-ap and --flip-study"
        )

    chosen = choice(arguments)
    grid = Grid(
        decoders=chosen.decoders,
        precisions=tuple((arguments.precisions or chosen.precision).split(",")),
        inputs_hw=arguments.inputs or (chosen.input_hw,),
        intervals=arguments.intervals,
    )
    with progress_bars() as progress:
        points = run_pareto(chosen, grid, report, progress)
    name: Path = arguments.pareto.with_suffix("")
    write_csv(points, name.with_suffix(".csv"))
    plot(points, name.with_suffix(".png"))
    if arguments.markdown:
        write_text(arguments.markdown, markdown(points))
    if arguments.json:
        write_text(arguments.json, as_json([asdict(one) for one in points]))
    for one in points:
        if one.on_front:
            report(f"{one.ms:6.1f} ms  {one.ap:.1f} AP  {one.label}")
    report(f"wrote {name.with_suffix('.png')} and {name.with_suffix('.csv')}")
    return 0


def _mpii(arguments: Namespace) -> int:
    from livepose.evaluation.pck_run import MPII_COLUMNS, run_mpii

    with progress_bars() as progress:
        measured = run_mpii(choice(arguments), report, progress, arguments.head_boxes)
    _show(arguments, measured, MPII_COLUMNS, "MPII PCKh")
    return 0


def _lsp(arguments: Namespace) -> int:
    from livepose.evaluation.pck_run import LSP_COLUMNS, run_lsp

    with progress_bars() as progress:
        measured = run_lsp(choice(arguments), report, progress)
    _show(arguments, measured, LSP_COLUMNS, "PCK@0.2 of the torso")
    return 0


def _quantisation(arguments: Namespace) -> int:
    from livepose.evaluation.quantisation import markdown, plot, study
    from livepose.evaluation.table import write_text

    errors = study(points=arguments.points)
    write_text(arguments.markdown, markdown(errors))
    if arguments.plot is not None:
        plot(errors, arguments.plot)
        report(f"wrote {arguments.plot}")
    return 0


def _clips(arguments: Namespace) -> int:
    from livepose.evaluation.presence import presence_markdown, read_presence
    from livepose.evaluation.table import write_text

    write_text(arguments.markdown, presence_markdown([read_presence(f) for f in arguments.files]))
    return 0


def _show(arguments: Namespace, measured: "Measured", columns: dict[str, str], title: str) -> None:
    """The table on the screen, the differences under it, and the files that were asked for."""
    from livepose.evaluation.document import as_json, document
    from livepose.evaluation.table import markdown, show, write_text

    name = arguments.annotations.name
    heading = f"{title}: {name}, {measured.pictures} pictures, {measured.people} people"
    show(measured, columns, heading)
    if arguments.markdown:
        write_text(arguments.markdown, markdown(measured, columns))
    if arguments.json:
        write_text(arguments.json, as_json(document(measured, choice(arguments), name)))


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
