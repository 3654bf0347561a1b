"""Peers that answer with heatmaps: PP-TinyPose, and any ONNX or OpenVINO file of that kind."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.skeletons import COCO17
from livepose.weights import Card, read_card
from livepose.weights.manifest import BLUR_KERNELS
from studies.peers.openvino_files import CompiledPeer

TINYPOSE_BLUR_KERNEL = 3
TINYPOSE_ALIGNMENT = "stride"
"""Its coordinates are those of the heatmap times 4."""


class HeatmapPeer:
    """A runtime over somebody else's file: bytes of crops in, heatmaps out."""

    name = "openvino"
    device = "cpu"
    precision = "f32"

    def __init__(self, path: Path, network: str, alignment: str, blur_kernel: int | None) -> None:
        self.compiled = CompiledPeer(path)
        self.cost = self.compiled.cost
        channels, height, width = self._input()
        if channels != 3:
            raise DataError(f"{path}: expected an input (1, 3, H, W), got {self._input()}")
        heatmaps = self.compiled.model.outputs[0].get_partial_shape()
        if len(heatmaps) != 4 or heatmaps[1] != len(COCO17.keypoints):
            raise DataError(
                f"{path}: expected heatmaps (1, 17, H, W) from its first output, got {heatmaps}"
            )
        kernel = blur_kernel or BLUR_KERNELS.get(round(height / 128), 3)
        self.use(peer_card(network, (height, width), alignment, kernel))

    def use(self, card: Card) -> None:
        """Cuts, feeds and decodes as this card says."""
        self.card = card
        self._mean = np.array(card.mean, dtype=np.float32)
        self._std = np.array(card.std, dtype=np.float32)

    def _input(self) -> tuple[int, ...]:
        return self.compiled.input_shape[1:]

    def __call__(self, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Heatmaps (B, 17, H, W) of crops (B, h, w, 3)."""
        height, width = self.card.input_hw
        if not len(crops_bgr):
            return np.empty((0, self.card.keypoints, height // 4, width // 4), np.float32)
        ordered = crops_bgr if self.card.colour == "bgr" else crops_bgr[..., ::-1]
        normal = (ordered.astype(np.float32) - self._mean) / self._std
        return self.compiled(normal.transpose(0, 3, 1, 2))[0]

    def warm_up(self, batch_sizes: Any = (1,)) -> None:
        """Runs once."""
        self(np.zeros((1, *self.card.input_hw, 3), dtype=np.uint8))


def peer_card(network: str, input_hw: tuple[int, int], alignment: str, blur_kernel: int) -> Card:
    """How a peer's crops are cut and its heatmaps decoded."""
    return Card(
        network=network,
        input_hw=input_hw,
        skeleton=COCO17.name,
        keypoints=len(COCO17.keypoints),
        alignment=alignment,
        blur_kernel=blur_kernel,
        sigma=2.0,
        source="a peer's file",
        licence="the peer's own",
    )


def open_tinypose(path: Path) -> PoseEstimator:
    """PP-TinyPose in OpenVINO's form (PaddleDetection; Apache-2.0)."""
    return PoseEstimator(HeatmapPeer(path, "PP-TinyPose", TINYPOSE_ALIGNMENT, TINYPOSE_BLUR_KERNEL))


def open_heatmap_peer(path: Path) -> PoseEstimator:
    """A file with input (1, 3, H, W) and output (1, 17, H/4, W/4).

    A card beside it (``FILE.toml``, see ``livepose.weights.card``) says how it wants its
    crops. Without one: RGB in ImageNet's scale and HRNet's alignment, as MMPose's default exports
    have it.
    """
    peer = HeatmapPeer(path, path.stem, "hrnet", None)
    if path.with_suffix(".toml").is_file():
        peer.use(read_card(path))
    return PoseEstimator(peer)
