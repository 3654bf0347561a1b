"""Other networks and other decoders beside livepose's, on the same pictures."""

from dataclasses import dataclass

from livepose.estimator import PoseEstimator
from livepose.evaluation.predict import FLIPS
from livepose.evaluation.report import Measured, Row
from livepose.evaluation.run import CocoScorer, chosen_estimator, open_set
from livepose.evaluation.settings import EvaluationSettings, Progress, no_progress
from livepose.evaluation.speed import NO_COST, NO_SPEED
from studies.peers import DirectPeer, open_peer, own_weights
from studies.peers.decoders import variants_of
from studies.peers.direct import direct_results, direct_speed


@dataclass(frozen=True)
class Comparison:
    """Who stands beside livepose."""

    peers: tuple[str, ...] = ()  # KIND:FILE each
    peer_decoders: tuple[str, ...] = ("dark",)  # how heatmaps of peers are read
    flip_study: bool = False  # without, with, and with misaligned flip test, from the same passes


def run_comparison(
    settings: EvaluationSettings, beside: Comparison, progress: Progress = no_progress
) -> Measured:
    """Measures livepose by every chosen decoder, then the peers, on one set.

    Raises
    ------
    DataError
        When pictures and annotations do not fit together, or there is nobody to score.
    """
    flips = tuple(FLIPS) if beside.flip_study else ("aligned" if settings.flip_test else "none",)
    own = variants_of(settings.decoders, flips)
    others_read = variants_of(beside.peer_decoders, flips)
    others = [path for spec in beside.peers if (path := own_weights(spec))]
    peers = [open_peer(spec) for spec in beside.peers if not own_weights(spec)]
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
        scorer.data.pictures.close()
    return scorer.measured()


def run_direct(scorer: CocoScorer, peer: DirectPeer) -> None:
    """A row of a peer that answers with keypoints."""
    data = scorer.data
    sample = data.boxes("pixel_centre")
    advance = data.progress(peer.name, len(sample))
    results = direct_results(peer, data.pictures, sample, scorer.sigmas, advance)
    row = Row(
        method=peer.name,
        backbone=peer.backbone,
        input_hw=peer.input_hw,
        cost=peer.cost or NO_COST,
        speed=direct_speed(peer, data.pictures, sample) if data.settings.speed else NO_SPEED,
        boxes="its own" if peer.own_boxes else data.settings.boxes_name,
    )
    scorer.add(row, results)
