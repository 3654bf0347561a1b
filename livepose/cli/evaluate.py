"""``livepose eval coco | lsp | mpii``: results on stdout, messages on stderr."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.cli.options import Command, options
from livepose.cli.progress import progress_bars
from livepose.errors import GateError
from livepose.evaluation.settings import CocoSettings, EvaluationSettings, Loading
from livepose.settings import option

if TYPE_CHECKING:
    from livepose.evaluation.report import Measured

EXAMPLES = """examples:
  livepose eval coco --images val2017/ --annotations person_keypoints_val2017.json
  livepose eval coco --images val2017.zip --annotations person_keypoints_val2017.json \\
      --boxes detector --decode dark,shift,argmax,integral --flip-test --json coco.json
"""


@dataclass(frozen=True)
class EvaluationOutputs:
    """What is written."""

    json: str | None = option(None, "rows and settings, - is stdout", metavar="FILE")
    markdown: str | None = option(None, "the table, - is stdout", metavar="FILE")


@dataclass(frozen=True)
class CocoOutputs(EvaluationOutputs):
    """What COCO's evaluation writes beside that."""

    results: str | None = option(None, "first row in COCO's submission form", metavar="FILE")
    require_ap: float | None = option(None, "exit code 6 below it", metavar="AP")


@dataclass(frozen=True)
class MpiiData:
    """What MPII's evaluation reads beside that."""

    head_boxes: Path | None = option(None, "MPII's gt_valid.mat", metavar="FILE")


COCO = (CocoSettings, Loading, CocoOutputs)
PLAIN = (EvaluationSettings, Loading, EvaluationOutputs)
COMMAND = Command(
    "Measures accuracy and speed on annotated pictures, in the configuration that runs live.",
    parts={
        "coco": Command("COCO AP", COCO),
        "lsp": Command("PCK@0.2 of the torso", PLAIN),
        "mpii": Command("PCKh@0.5 and @0.1", (*PLAIN, MpiiData)),
    },
    epilog=EXAMPLES,
)


def run(arguments: Namespace) -> int:
    """Measures, prints and writes what was asked for."""
    from livepose.evaluation import report, run

    kind = CocoSettings if arguments.part == "coco" else EvaluationSettings
    chosen, outputs = chosen_of(kind, arguments), options(CocoOutputs, arguments)
    head_boxes = options(MpiiData, arguments).head_boxes
    measures: dict[str, tuple[Callable[..., Measured], dict[str, str], str]] = {
        "coco": (run.run_coco, report.COCO_COLUMNS, "COCO AP"),
        "lsp": (run.run_lsp, run.LSP_COLUMNS, "PCK@0.2 of the torso"),
        "mpii": (partial(run.run_mpii, head_boxes=head_boxes), run.MPII_COLUMNS, "MPII PCKh"),
    }
    measure, columns, title = measures[arguments.part]
    report.require_writable([outputs.json, outputs.markdown, outputs.results])
    with progress_bars() as progress:
        measured = measure(chosen, progress)
    show(outputs, chosen, measured, columns, title)
    return 0


def chosen_of(kind: type[EvaluationSettings], arguments: Namespace) -> EvaluationSettings:
    """What is measured, from the options."""
    return options(kind, arguments, loading=options(Loading, arguments))


def show(
    outputs: CocoOutputs,
    chosen: EvaluationSettings,
    measured: "Measured",
    columns: Mapping[str, str],
    title: str,
) -> None:
    """The table on stdout, unless something else was asked for there, and the files."""
    from livepose.evaluation.report import as_json, document, markdown, show, write_text

    name, first = chosen.annotations.name, measured.rows[0]
    heading = f"{title}: {name}, {measured.pictures} pictures, {measured.people} people"
    on_stdout = "-" in (outputs.json, outputs.markdown, outputs.results)
    show(measured, columns, heading, to_stderr=on_stdout)
    if outputs.markdown:
        write_text(outputs.markdown, markdown(measured, columns))
    if outputs.json:
        write_text(outputs.json, as_json(document(measured, chosen, name)))
    if outputs.results:
        write_text(outputs.results, as_json(measured.results[first.title]))
    if outputs.require_ap is not None and not first.figures["ap"] >= outputs.require_ap:
        raise GateError(
            f"{first.title}: expected at least {outputs.require_ap} AP,"
            f" got {first.figures['ap']:.2f}"
        )
