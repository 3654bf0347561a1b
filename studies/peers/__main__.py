"""``python -m studies.peers --images ... --annotations ... --peer KIND:FILE``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from livepose.cli import guarded
from livepose.cli.evaluate import add_coco, check_outputs, choice, progress_bars, show_coco
from livepose.evaluation.predict import decoder_names
from studies.peers.compare import Comparison, run_comparison
from studies.peers.decoders import NAMES


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(
        prog="python -m studies.peers", description=f"Decoders: {', '.join(NAMES)}."
    )
    add_coco(parser)
    parser.add_argument(
        "--peer", action="append", default=[], metavar="KIND:FILE",
        help="tinypose:, onnx:, movenet:, ultralytics: or livepose: and a file; may be repeated",
    )  # fmt: skip
    parser.add_argument("--peer-decode", default="dark", metavar="NAMES", help="for heatmap peers")
    parser.add_argument(
        "--flip-study", action="store_true", help="without, with, and misaligned flip test"
    )
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def run(arguments: Namespace) -> int:
    """Measures, prints and writes what was asked for."""
    check_outputs(arguments, "json", "markdown", "results")
    chosen = choice(arguments, NAMES)
    beside = Comparison(
        tuple(arguments.peer),
        decoder_names(arguments.peer_decode, NAMES),
        arguments.flip_study,
    )
    with progress_bars() as progress:
        measured = run_comparison(chosen, beside, progress)
    show_coco(arguments, chosen, measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
