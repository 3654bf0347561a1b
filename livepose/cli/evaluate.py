"""``livepose eval coco``, ``calibrate`` and ``quantise``: weights on annotated people.

Results go to stdout, messages to stderr.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livepose.calibration import CalibrationSettings, QuantizeSettings
from livepose.cli.options import Command, command
from livepose.errors import GateError, UsageError
from livepose.evaluation import CocoSettings, EvaluationSettings
from livepose.settings import option

if TYPE_CHECKING:
    from livepose.evaluation.report import Measured

logger = logging.getLogger(__name__)
EXAMPLES = """examples:
  livepose eval coco --images val2017/ --annotations person_keypoints_val2017.json
  livepose eval coco --images val2017.zip --annotations person_keypoints_val2017.json \\
      --boxes detector --decode dark,shift,argmax,integral --flip-test --json coco.json
"""


@dataclass(frozen=True)
class EvaluationOutputs:
    """Output."""

    json: str | None = option(None, "rows and settings, - is stdout", metavar="FILE")
    markdown: str | None = option(None, "the table, - is stdout", metavar="FILE")
    results: str | None = None
    require_ap: float | None = None


@dataclass(frozen=True)
class CocoOutputs(EvaluationOutputs):
    """Output."""

    results: str | None = option(None, "first row in COCO's submission form", metavar="FILE")
    require_ap: float | None = option(None, "exit code 6 below it", metavar="AP")


@command("COCO AP")
def _coco(chosen: CocoSettings, outputs: CocoOutputs) -> None:
    from livepose.cli.progress import progress_bars
    from livepose.evaluation.report import COCO_COLUMNS, require_writable
    from livepose.evaluation.run import run_coco

    require_writable([outputs.json, outputs.markdown, outputs.results])
    with progress_bars() as progress:
        measured = run_coco(chosen, progress)
    show(outputs, chosen, measured, COCO_COLUMNS, "COCO AP")


def show(
    outputs: EvaluationOutputs,
    chosen: EvaluationSettings,
    measured: "Measured",
    columns: Mapping[str, str],
    title: str,
) -> None:
    """The table on stdout, unless something else was asked for there, and the files."""
    from livepose.evaluation.report import as_json, document, markdown, show, write_text

    name, first = chosen.annotations.name, measured.rows[0]
    heading = f"{title}: {name}, {measured.images} images, {measured.people} people"
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


EVAL = Command(
    "Measures accuracy and speed on annotated images, in the configuration that runs live.",
    parts={"coco": _coco},
    epilog=EXAMPLES,
)


@command(
    "Turns the heatmap's shape and score into an expected error, on annotated people that the"
    " weights were not trained on."
)
def calibrate(settings: CalibrationSettings) -> None:
    """Calibrates and writes."""
    from livepose.calibration.uncertainty import run_calibration
    from livepose.cli.progress import progress_bars

    with progress_bars() as progress:
        said = run_calibration(settings, progress)
    print(said)


@command("Measures what INT8 needs to know of pose weights, and what it costs.")
def quantise(settings: QuantizeSettings) -> None:
    """Measures INT8 ranges on real crops, refuses what costs too much, writes."""
    from livepose.calibration import int8
    from livepose.cli.progress import progress_bars
    from livepose.evaluation.dataset import open_people
    from livepose.runtimes.activation_ranges import ranges_path, write_ranges
    from livepose.weights import find_weights
    from livepose.weights.card import is_third_party

    path = find_weights(settings.weights)
    if is_third_party(path):
        raise UsageError(f"INT8 ranges are for livepose's own weights, not for {path.name}")
    data, dev = open_people(*settings.data), open_people(*settings.dev)
    with progress_bars() as progress:
        ranges = int8.quantise(path, data, dev, settings.crops, progress)
    target = settings.output or ranges_path(path)
    write_ranges(target, ranges)
    measured = ranges.measured
    logger.warning(
        f"{len(ranges.limits)} ranges -> {target}: {measured['ap_int8']:.2f} AP instead of "
        f"{measured['ap_f32']:.2f}, keypoints moved by {measured['shift_px_int8']:.3f} px of the "
        "crop in the median"
    )
