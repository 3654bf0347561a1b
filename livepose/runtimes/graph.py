"""The whole graph that a runtime runs: bytes in, normalisation, network, activation."""

import math

import torch
from torch import Tensor, nn

from livepose.weights import Card


class PoseGraph(nn.Module):
    """Wraps a network so that it takes crops as bytes and puts out heatmaps.

    Crops are uint8 (B, h, w, 3), blue first. With the activation ``softmax`` the network's output
    is taken for log-heatmaps, and the heatmap is exp(log - logsumexp over all cells) times
    2 pi sigma², whose peak is near 1 where the network is sure.
    """

    mean: Tensor
    inverse_std: Tensor

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network = network
        self.rgb = card.colour == "rgb"
        self.softmax = card.activation == "softmax"
        self.peak = 2 * math.pi * card.sigma**2
        self.register_buffer("mean", torch.tensor(card.mean).view(1, 3, 1, 1))
        self.register_buffer("inverse_std", 1 / torch.tensor(card.std).view(1, 3, 1, 1))

    def forward(self, crops_bgr: Tensor) -> Tensor:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        pictures = crops_bgr.permute(0, 3, 1, 2).to(self.mean.dtype)
        if self.rgb:
            pictures = pictures.flip(1)
        maps: Tensor = self.network((pictures - self.mean) * self.inverse_std).float()
        return self.peak * softmax_over_cells(maps) if self.softmax else maps


def softmax_over_cells(logits: Tensor) -> Tensor:
    """Softmax over all cells of each map, (B, K, H, W) to the same shape."""
    return torch.softmax(logits.flatten(2), dim=2).view_as(logits)
