"""torch: the one way onto a GPU, and on the CPU the reference that all else is checked against."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format

from livepose.errors import DeviceError
from livepose.networks import fold_batch_norms
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops, empty_heatmaps
from livepose.runtimes.verify import probe_crops, require_agreement
from livepose.weights import Card
from livepose.weights.checkpoint import load_network

_DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
_FULL = ("out of memory", "alloc_failed")
"""torch has a class for full memory of its own alone; cuBLAS, cuDNN and Apple's report in words."""


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
        images = crops_bgr.permute(0, 3, 1, 2).to(self.mean.dtype)
        if self.rgb:
            images = images.flip(1)
        maps: Tensor = self.network((images - self.mean) * self.inverse_std).float()
        if self.softmax:
            return self.peak * torch.softmax(maps.flatten(2), dim=2).view_as(maps)
        return maps


class TorchRuntime:
    """Runs the network on one device: crops go up as bytes, heatmaps come back as float32."""

    name = "torch"

    def __init__(self, network: nn.Module, card: Card, device: str, precision: str = "f32") -> None:
        self.card, self.device, self.precision = card, device, precision
        with device_errors(device, "while loading"):
            graph = PoseGraph(fold_batch_norms(network), card).eval().requires_grad_(False)
            self.graph = graph.to(torch.device(device), _DTYPES[precision])
            if device != "mps":  # where that layout gave wrong numbers in several versions of torch
                convert_conv2d_weight_memory_format(graph, torch.channels_last)
            last = graph.network.get_submodule("final_layer").float()  # a third of bf16's error
            last.register_forward_pre_hook(lambda _, features: (features[0].float(),))

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        if len(crops) == 0:
            return empty_heatmaps(self.card)
        if not crops.flags.writeable:
            crops = np.array(crops)  # torch warns of memory that it must not write to
        doing = f"at {len(crops)} people at once"
        with device_errors(self.device, doing), torch.inference_mode(), self._convolutions():
            maps: Heatmaps = self.graph(torch.from_numpy(crops).to(self.device)).cpu().numpy()
        return maps

    def _convolutions(self) -> AbstractContextManager[None]:
        """In which f32 is f32: cuDNN's convolutions read 10 bits of its 23 where nobody objects."""
        if self.precision == "f32" and self.device.startswith("cuda"):
            return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        return nullcontext()

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Runs batches of these sizes once."""
        for count in batch_sizes:
            self(np.zeros((count, *self.card.input_hw, 3), np.uint8))


def open_torch(path: Path, card: Card, device: str, precision: str) -> TorchRuntime:
    """Our own weights on a device; DeviceError where they find other keypoints than on the CPU."""
    network, _ = load_network(path)
    made = TorchRuntime(network, card, device, precision)
    if (made.device, made.precision) != ("cpu", "f32"):
        require_agreement(made, reference_heatmaps(network, card))
    return made


def reference_heatmaps(network: nn.Module, card: Card) -> Heatmaps:
    """What torch on the CPU in f32 says to the probes of ``verify``."""
    return TorchRuntime(network, card, "cpu")(probe_crops(card))


@contextmanager
def device_errors(device: str, doing: str) -> Iterator[None]:
    """Turns what torch raises of a GPU into ``DeviceError``; ``doing`` follows "failed"."""
    try:
        yield
    except RuntimeError as error:
        if device == "cpu":
            raise
        if any(word in str(error).lower() for word in _FULL):
            raise DeviceError(
                f"{device} ran out of memory {doing}; lower --max-people, close what else runs on "
                "it, or use --device cpu"
            ) from None
        reason = str(error).splitlines()[0]
        raise DeviceError(f"{device} failed {doing}: {reason}; use --device cpu") from error


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch compute in one thread: small jobs on a busy machine are quickest so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
