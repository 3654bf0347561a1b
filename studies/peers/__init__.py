"""Other people's networks beside livepose's in one table: same images, same boxes or their own.

A peer that answers with heatmaps becomes a runtime and goes through livepose's own estimator; one
that answers with keypoints is asked directly.
"""

from collections.abc import Callable
from pathlib import Path

from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from studies.peers.direct import DirectPeer
from studies.peers.heatmap import open_heatmap_peer, open_tinypose
from studies.peers.yolo import open_yolo

OPENERS: dict[str, Callable[[Path], PoseEstimator | DirectPeer]] = {
    "onnx": open_heatmap_peer,
    "tinypose": open_tinypose,
    "ultralytics": open_yolo,
}

OWN = "livepose"
"""Kind of a peer that is other weights of livepose's own."""

__all__ = ["OPENERS", "OWN", "DirectPeer", "open_peer", "own_weights"]


def own_weights(spec: str) -> Path | None:
    """FILE of ``livepose:FILE``; None for somebody else's network.

    UsageError when there is no such file.
    """
    kind, _, name = spec.partition(":")
    if kind != OWN:
        return None
    if not Path(name).is_file():
        raise UsageError(f"--peer {spec}: there is no file {name}")
    return Path(name)


def open_peer(spec: str) -> PoseEstimator | DirectPeer:
    """Opens ``KIND:FILE``; UsageError when the kind does not exist, or there is no file."""
    kind, colon, name = spec.partition(":")
    if not colon or kind not in OPENERS:
        kinds = " | ".join((OWN, *OPENERS))
        raise UsageError(f"--peer: expected {kinds} and :FILE, got {spec!r}")
    path = Path(name)
    if not path.exists():
        raise UsageError(f"--peer {spec}: there is no file {name}")
    return OPENERS[kind](path)
