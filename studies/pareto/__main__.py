"""``python -m studies.pareto --images ... --annotations ... --output NAME``."""

import csv
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from livepose.cli import guarded
from livepose.cli.evaluate import CocoOutputs
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.errors import SinkError
from livepose.evaluation import CocoSettings
from livepose.evaluation.metrics import Interval
from livepose.evaluation.report import (
    as_json,
    figure_with,
    markdown_table,
    require_writable,
    save,
    write_text,
)
from livepose.settings import parse_input_size
from studies import positive
from studies.pareto.grid import Grid, Point, run_pareto

MARKERS = "o^sDvP"
HEADINGS = ("", "Decoder", "Flip test", "Input", "Precision", "Detector", "AP", "ms")


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.pareto", description="Accuracy against time.")
    for kind in (CocoSettings, CocoOutputs):
        add_options(parser, kind)
    parser.set_defaults(boxes="gt")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="NAME", help="NAME.png, NAME.csv"
    )
    parser.add_argument("--precisions", metavar="NAMES", help="such as f32,bf16; else --precision")
    parser.add_argument(
        "--inputs", type=sizes_hw, metavar="SIZES", help="such as 96x64,128x96; else --input"
    )
    parser.add_argument("--intervals", type=numbers, default=(1, 4), metavar="N,N,...")
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def sizes_hw(text: str) -> tuple[tuple[int, int], ...]:
    """``96x64,128x96``."""
    return tuple(parse_input_size(one) for one in text.split(","))


def numbers(text: str) -> tuple[int, ...]:
    """``1,2,4``."""
    return tuple(positive(one) for one in text.split(","))


def run(arguments: Namespace) -> int:
    """Measures and writes."""
    outputs = options(CocoOutputs, arguments)
    require_writable([outputs.json, outputs.markdown, arguments.output])
    chosen = options(CocoSettings, arguments)
    grid = Grid(
        decoders=chosen.decoders,
        precisions=tuple((arguments.precisions or chosen.precision).split(",")),
        inputs_hw=arguments.inputs or (chosen.input_hw,),
        intervals=arguments.intervals,
    )
    with progress_bars() as progress:
        points = run_pareto(chosen, grid, progress)
    write_csv(points, arguments.output.with_suffix(".csv"))
    plot(points, arguments.output.with_suffix(".png"))
    if outputs.markdown:
        write_text(outputs.markdown, markdown(points))
    if outputs.json:
        write_text(outputs.json, as_json([asdict(one) for one in points]))
    return 0


def write_csv(points: Sequence[Point], path: Path) -> None:
    """One line a combination, two digits for numbers with a fraction."""
    names = list(Point.__dataclass_fields__)
    rows = [[getattr(one, name) for name in names] for one in points]
    short = [[round(one, 2) if isinstance(one, float) else one for one in row] for row in rows]
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([names, *short])
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def markdown(points: Sequence[Point]) -> str:
    """The front for a document, numbered as in the plot."""
    rows = [
        [
            *(str(number), one.decode, "no" if one.flip == "none" else "yes", one.input_size),
            *(one.precision, one.interval, f"{one.ap:.1f} {Interval(one.ap_low, one.ap_high)}"),
            f"{one.ms:.1f}",
        ]
        for number, one in enumerate((one for one in points if one.on_front), 1)
    ]
    return markdown_table(HEADINGS, rows, 6) + "\n"


def plot(points: Sequence[Point], path: Path) -> None:
    """AP against ms: decoders by colour, sizes by marker; the front joined, numbered and named, its
    95 % intervals as a band.
    """
    figure, (panel,) = figure_with(1)
    figure.set_size_inches(9, 4.5)
    sizes = list(dict.fromkeys(one.input_size for one in points))
    decoders = list(dict.fromkeys(one.decode for one in points))
    for number, decode in enumerate(decoders):
        for place, size in enumerate(sizes):
            own = [one for one in points if (one.decode, one.input_size) == (decode, size)]
            panel.plot(
                [one.ms for one in own], [one.ap for one in own], MARKERS[place % len(MARKERS)],
                color=f"C{number}", alpha=0.6, markersize=5, label=f"{decode} {size}",
            )  # fmt: skip
    front = [one for one in points if one.on_front]
    times, ap = [one.ms for one in front], [one.ap for one in front]
    low, high = (
        [float(np.nan_to_num(getattr(one, name), nan=one.ap)) for one in front]
        for name in ("ap_low", "ap_high")
    )
    panel.fill_between(times, low, high, color="black", alpha=0.08, linewidth=0)
    panel.plot(times, ap, color="black", linewidth=0.8)
    near = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "fontsize": 8}
    for number, at in enumerate(zip(times, ap, strict=True), 1):
        panel.annotate(str(number), at, **near)
    names = [f"{number}  {one.label}" for number, one in enumerate(front, 1)]
    listed = "\n".join(["best at its time (band: 95 %)", *names])
    panel.text(1.02, 1.0, listed, transform=panel.transAxes, va="top", fontsize=7)
    panel.set_xlabel("ms for one image, all people (detection shared over its interval)")
    panel.set_ylabel("COCO AP")
    panel.legend(loc="lower right", fontsize=6, ncols=len(decoders))
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
