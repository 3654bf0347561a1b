"""torch, eager: the reference that the others are checked against, and the fallback."""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from livepose.errors import UsageError
from livepose.networks.folding import fold_batch_norms
from livepose.runtimes.cuda_graph import people_errors
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops, no_heatmaps
from livepose.runtimes.verify import probe_crops
from livepose.weights import Card

Module = TypeVar("Module", bound=nn.Module)

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


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
        if self.softmax:
            return self.peak * torch.softmax(maps.flatten(2), dim=2).view_as(maps)
        return maps


class TorchRuntime:
    """Runs the network as it is, in float32 unless something else is asked for."""

    name = "torch"

    def __init__(self, network: nn.Module, card: Card, device: str, precision: str = "f32") -> None:
        if device == "cpu" and precision == "f16":
            raise UsageError("torch has no quick f16 on the cpu; use --precision f32 or a GPU")
        self.card = card
        self.device = device
        self.precision = precision
        with people_errors(device, 0):
            self._graph = prepared(network, card, device, precision)

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        if len(crops) == 0:
            return no_heatmaps(self.card)
        if not crops.flags.writeable:
            crops = np.array(crops)  # torch warns of memory that it must not write to
        with people_errors(self.device, len(crops)), torch.inference_mode():
            maps: Heatmaps = self._graph(torch.from_numpy(crops).to(self.device)).cpu().numpy()
        return maps

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Runs batches of these sizes once."""
        for count in batch_sizes:
            self(np.zeros((count, *self.card.input_hw, 3), np.uint8))


def prepared(network: nn.Module, card: Card, device: str, precision: str) -> PoseGraph:
    """The whole graph on a device: batch norms folded in, channels last."""
    graph = PoseGraph(fold_batch_norms(network), card).eval().requires_grad_(False)
    graph.to(torch.device(device), DTYPES[precision])
    # On MPS that layout has given wrong numbers in several versions of torch.
    return graph if device == "mps" else channels_last(graph)


def channels_last(module: Module) -> Module:
    """The same module with its kernels laid out as matrix units like them."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    return module


def reference_heatmaps(network: nn.Module, card: Card) -> Heatmaps:
    """What torch on the CPU in f32 says to the probes of ``check``."""
    return TorchRuntime(network, card, "cpu")(probe_crops(card))
