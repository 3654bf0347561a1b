"""``python -m studies.peers --images ... --annotations ... --peer KIND:FILE``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from livepose.cli import guarded
from livepose.cli.evaluate import CocoOutputs, show
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.estimator import PoseEstimator
from livepose.evaluation import (
    CocoSettings,
    EvaluationSettings,
    Progress,
    decoder_names,
)
from livepose.evaluation.report import COCO_COLUMNS, Measured, require_writable
from livepose.evaluation.run import CocoScorer, chosen_estimator, open_set
from livepose.settings import ONE, option
from studies.peers import open_peer, own_weights
from studies.peers.decoders import FLIPS, NAMES, variants_of
from studies.peers.direct import run_direct

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
    for kind in (PeerSettings, CocoOutputs):
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
    chosen = options(PeerSettings, arguments)
    with progress_bars() as progress:
        beside = arguments.peer, arguments.peer_decode, arguments.flip_study
        measured = run_comparison(chosen, *beside, progress)
    show(outputs, chosen, measured, COCO_COLUMNS, "COCO AP")
    return 0


def run_comparison(
    settings: EvaluationSettings,
    peers_told: Sequence[str],
    peer_decoders: Sequence[str],
    flip_study: bool,
    progress: Progress,
) -> Measured:
    """Measures livepose by every chosen decoder, then the peers, on one set.

    ``peers_told`` are KIND:FILE, ``peer_decoders`` how their heatmaps are read; ``flip_study`` is
    without, with, and with misaligned flip test, from the same passes. DataError when images and
    annotations do not fit together, or there is nobody to score.
    """
    flips = tuple(FLIPS) if flip_study else ("aligned" if settings.flip_test else "none",)
    own = variants_of(settings.decoders, flips)
    others_read = variants_of(peer_decoders, flips)
    others = [path for spec in peers_told if (path := own_weights(spec))]
    peers = [open_peer(spec) for spec in peers_told if not own_weights(spec)]
    sets = [open_set(one, progress) for one in settings.by_boxes()]
    scorer = CocoScorer(sets[0])
    names = [(settings.weights, "livepose"), *((str(one), one.stem) for one in others)]
    ours = [(chosen_estimator(settings, weights), name) for weights, name in names]
    for scorer.data in sets:
        for estimator, name in ours:
            scorer.run(estimator, own, name)
        for peer in peers:
            if isinstance(peer, PoseEstimator):
                scorer.run(peer, others_read, peer.runtime.card.network)
            elif not peer.own_boxes or scorer.data is sets[0]:
                run_direct(scorer, peer)
        scorer.data.images.close()
    return scorer.measured()


if __name__ == "__main__":
    sys.exit(main())
