"""livepose itself, in its precisions, and with another project's network in its loop."""

import tempfile
from pathlib import Path

import torch

from benchmarks.baselines import Opened, peer_file
from benchmarks.rounds import Livepose
from livepose.machine import usable_cores
from livepose.pipeline import PosePipeline, Settings
from livepose.runtimes.activation_ranges import ActivationRanges, read_ranges
from livepose.weights import Card, find_weights

TINYPOSE = "tinypose_128x96_fp16.xml"
TINYPOSE_CARD = """input = "128x96"
alignment = "stride"
blur_kernel = 3
source = "PP-TinyPose, PaddleDetection"
licence = "Apache-2.0"
"""
TINYPOSE_ACCURACY = "53.9 (docs/evaluation.md, 350 images)"


class InTurn(Livepose):
    """The pipeline among others, some of which leave torch with another number of threads."""

    def before_round(self) -> None:
        """All cores, which is torch's default."""
        torch.set_num_threads(usable_cores())


def open_livepose(precision: str = "auto") -> Opened:
    """The pipeline as it comes, or in a precision asked for."""
    pipeline = PosePipeline(Settings(precision=precision, device="cpu"))
    card = pipeline.estimator.runtime.card
    return opened(pipeline, validated(card, read_ranges(find_weights("default"), card.sha256)))


def open_tinypose() -> Opened:
    """PP-TinyPose in livepose's loop: its file, with a card that says how it wants its crops."""
    network = peer_file(TINYPOSE)
    folder = Path(tempfile.mkdtemp(prefix="livepose-benchmarks-"))
    for path in (network, network.with_suffix(".bin")):
        (folder / path.name).symlink_to(path)
    (folder / network.name).with_suffix(".toml").write_text(TINYPOSE_CARD)
    pipeline = PosePipeline(Settings(weights=folder / network.name, device="cpu"))
    return opened(pipeline, TINYPOSE_ACCURACY, "its network, our detector, tracker and decoder")


def opened(pipeline: PosePipeline, accuracy: str, note: str = "") -> Opened:
    """A warm pipeline as a system."""
    pipeline.warm_up()
    runtime = pipeline.estimator.runtime
    weights = f"{runtime.card.network}, {runtime.card.sha256[:12] or 'no hash'}"
    ran = f"{runtime.name}, {runtime.precision}"
    return Opened(
        InTurn(pipeline, draw=False), weights, accuracy, f"{ran}; {note}" if note else ran
    )


def validated(card: Card, ranges: ActivationRanges | None = None) -> str:
    """The AP that the weights' own card gives, or that was measured for their INT8 ranges."""
    for name, value in card.notes.items():
        figures = dict(
            part.strip().split(" ", 1) for part in value.split(",") if " " in part.strip()
        )
        if name.startswith("validation") and "ap" in figures:
            return f"{float(figures['ap']):.1f} ({name.removeprefix('validation').strip()}, card)"
    if ranges is not None and "ap_f32" in ranges.measured:
        measured = ranges.measured
        return f"{measured['ap_f32']:.1f} (f32, {measured['people']:.0f} people)"
    return "not stated by the weights' card"
