"""``livepose calibrate --data IMAGES:ANNOTATIONS ...``."""

from argparse import Namespace

from livepose.calibration.settings import CalibrationSettings
from livepose.cli.options import Command, options

COMMAND = Command(
    "Turns the heatmap's shape and score into an expected error, on annotated people that the"
    " weights were not trained on.",
    [CalibrationSettings],
)


def run(arguments: Namespace) -> int:
    """Calibrates and writes."""
    from livepose.calibration.run import run_calibration
    from livepose.cli.progress import progress_bars
    from livepose.evaluation.report import write_text

    settings = options(CalibrationSettings, arguments)
    with progress_bars() as progress:
        tables = run_calibration(settings, progress)
    write_text(settings.markdown, tables)
    return 0
