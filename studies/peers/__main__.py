"""``python -m studies.peers --images ... --annotations ... --peer KIND:FILE``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from livepose.cli import guarded
from livepose.cli.evaluate import CocoOutputs, chosen_of, show
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.evaluation.report import COCO_COLUMNS, require_writable
from livepose.evaluation.settings import CocoSettings, Loading, decoder_names
from livepose.settings import ONE, option
from studies.peers.compare import Comparison, run_comparison
from studies.peers.decoders import NAMES

some_decoders = partial(decoder_names, known=NAMES)


@dataclass(frozen=True)
class PeerSettings(CocoSettings):
    """The same with more decoders."""

    decoders: tuple[str, ...] = option(
        ("dark",), "by commas", flag="--decode", metavar="NAMES", parse=some_decoders, nargs=ONE
    )


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(
        prog="python -m studies.peers", description=f"Decoders: {', '.join(NAMES)}."
    )
    for kind in (PeerSettings, Loading, CocoOutputs):
        add_options(parser, kind)
    parser.add_argument(
        "--peer", action="append", default=[], metavar="KIND:FILE",
        help="tinypose:, onnx:, ultralytics: or livepose: and a file; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--peer-decode", type=some_decoders, default=("dark",), metavar="NAMES",
        help="for heatmap peers",
    )  # fmt: skip
    parser.add_argument(
        "--flip-study", action="store_true", help="without, with, and misaligned flip test"
    )
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def run(arguments: Namespace) -> int:
    """Measures, prints and writes what was asked for."""
    outputs = options(CocoOutputs, arguments)
    require_writable([outputs.json, outputs.markdown, outputs.results])
    chosen = chosen_of(PeerSettings, arguments)
    beside = Comparison(
        tuple(arguments.peer),
        arguments.peer_decode,
        arguments.flip_study,
    )
    with progress_bars() as progress:
        measured = run_comparison(chosen, beside, progress)
    show(outputs, chosen, measured, COCO_COLUMNS, "COCO AP")
    return 0


if __name__ == "__main__":
    sys.exit(main())
