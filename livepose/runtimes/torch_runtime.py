"""torch, eager: the reference that the others are checked against, and the fallback."""

from collections.abc import Sequence

import torch
from torch import nn

from livepose.errors import DeviceError
from livepose.runtimes.graph import PoseGraph
from livepose.runtimes.protocol import Crops, Heatmaps, blank_crops, no_heatmaps
from livepose.weights import Card


class TorchRuntime:
    """Runs the network as it is, in float32 on the CPU and MPS, in half precision on CUDA."""

    name = "torch"

    def __init__(self, network: nn.Module, card: Card, device: str, precision: str = "f32") -> None:
        self.card = card
        self.device = device
        self.precision = precision
        graph = PoseGraph(network, card).to(device, dtypes()[precision])
        self._graph = graph.to(memory_format=torch.channels_last).eval()

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        if len(crops_bgr) == 0:
            return no_heatmaps(self.card)
        try:
            with torch.inference_mode():
                maps = self._graph(torch.from_numpy(crops_bgr).to(self.device))
                heatmaps: Heatmaps = maps.float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.device} ran out of memory at {len(crops_bgr)} people at once; "
                "lower --max-people, or use --device cpu"
            ) from error
        return heatmaps

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Runs batches of these sizes once."""
        for count in batch_sizes:
            self(blank_crops(self.card, count))


def dtypes() -> dict[str, torch.dtype]:
    """Number formats by the name of their precision."""
    return {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
