"""``python -m studies.pareto --images ... --annotations ... --output NAME``."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from livepose.cli import guarded
from livepose.cli.evaluate import COCO, CocoOutputs, chosen_of
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.evaluation.report import as_json, require_writable, write_text
from livepose.evaluation.settings import CocoSettings
from livepose.settings import parse_input_size
from studies import positive
from studies.pareto.grid import Grid, run_pareto
from studies.pareto.plot import markdown, plot, write_csv

logger = logging.getLogger(f"livepose.{__name__}")


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.pareto", description="Accuracy against time.")
    for kind in COCO:
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
    chosen = chosen_of(CocoSettings, arguments)
    grid = Grid(
        decoders=chosen.decoders,
        precisions=tuple((arguments.precisions or chosen.precision).split(",")),
        inputs_hw=arguments.inputs or (chosen.input_hw,),
        intervals=arguments.intervals,
    )
    with progress_bars() as progress:
        points = run_pareto(chosen, grid, progress)
    name: Path = arguments.output.with_suffix("")
    write_csv(points, name.with_suffix(".csv"))
    plot(points, name.with_suffix(".png"))
    if outputs.markdown:
        write_text(outputs.markdown, markdown(points))
    if outputs.json:
        write_text(outputs.json, as_json([asdict(one) for one in points]))
    logger.info(f"wrote {name.with_suffix('.png')} and {name.with_suffix('.csv')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
