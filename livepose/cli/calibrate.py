"""``livepose calibrate --data PICTURES:ANNOTATIONS ...``."""

from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Adds the command ``calibrate``."""
    from livepose.cli.options import positive

    parser = subparsers.add_parser(
        "calibrate",
        help="how far off keypoints are, as predicted and as labelled",
        description="Turns the heatmap's shape and score into an expected error, on annotated"
        " people that the weights were not trained on.",
    )
    parser.add_argument(
        "--data", type=pair, action="append", required=True, metavar="PICTURES:ANNOTATIONS",
        help="a folder or ZIP and COCO keypoints; may be repeated",
    )  # fmt: skip
    parser.add_argument("--people", type=positive, default=200, metavar="N", help="of each set")
    parser.add_argument("--weights", default="default", help="a name or a file")
    parser.add_argument("--output", type=Path, metavar="TOML", help="weights/calibration.toml")
    parser.add_argument(
        "--only-these", action="store_true", help="leave the calibration of unknown weights alone"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="the reliability plot")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the tables, - is stdout")


def pair(text: str) -> tuple[Path, Path]:
    """``images.zip:annotations.json``."""
    pictures, colon, annotations = text.partition(":")
    if not (colon and pictures and annotations):
        raise ArgumentTypeError(f"expected PICTURES:ANNOTATIONS, got {text!r}")
    return Path(pictures), Path(annotations)


def run(arguments: Namespace) -> int:
    """Calibrates and writes."""
    from livepose.calibration.run import Choice, run_calibration
    from livepose.cli.evaluate import progress_bars
    from livepose.evaluation.report import write_text

    choice = Choice(
        data=tuple(arguments.data),
        people=arguments.people,
        weights=arguments.weights,
        output=arguments.output,
        default=not arguments.only_these,
        plot=arguments.plot,
    )
    with progress_bars() as progress:
        tables = run_calibration(choice, progress)
    write_text(arguments.markdown, tables)
    return 0
