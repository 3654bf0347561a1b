"""CUDA: the network in half precision as recorded graphs, one launch a batch.

For each of a few batch sizes the network's launches are recorded once; a batch is then one copy in
from pinned memory, one replay, one copy out. Nothing is allocated in the steady state.

This is the runtime as evaluation and the self-check use it, bytes of crops in and heatmaps out.
Live, ``livepose.gpu`` takes its network and puts crops and decoding into the same graph.
"""

from collections.abc import Sequence

import torch
from torch import nn

from livepose.runtimes.buckets import SlotRunner
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops
from livepose.runtimes.recording import Lane, Recording
from livepose.runtimes.torch_runtime import prepared
from livepose.runtimes.trouble import people_trouble
from livepose.weights import Card

BUCKETS = (1, 2, 4, 8, 16, 32)
LARGE_BUCKETS = (*BUCKETS, 64, 128, 256)
"""For many crops a second instead of one batch soon; they take more of the GPU's memory."""


class CudaRuntime:
    """Runs recorded graphs on one GPU.

    Attributes
    ----------
    graph : torch.nn.Module
        Bytes of crops on the device to heatmaps on the device.
    lane : Lane
        Where this runtime's work is queued.
    buckets : tuple of int
        The batch sizes that are recorded.
    """

    name = "cuda"

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        device: str,
        precision: str = "f16",
        buckets: Sequence[int] = BUCKETS,
    ) -> None:
        self.card = card
        self.device = device
        self.precision = precision
        self.buckets = tuple(buckets)
        with people_trouble(device, 0):
            self.lane = Lane(device)
            self.graph = prepared(network, card, device, precision)
        self._networks: dict[int, nn.Module] = {}
        self._runner = SlotRunner(card, self.buckets, self._make_slot)

    def _make_slot(self, bucket: int) -> "GraphSlot":
        return GraphSlot(self.network_for(bucket), self.card, bucket, self.lane)

    def network_for(self, bucket: int) -> nn.Module:
        """What is recorded for batches of this size; made once."""
        if bucket not in self._networks:
            self._networks[bucket] = self.make_network(bucket)
        return self._networks[bucket]

    def make_network(self, bucket: int) -> nn.Module:
        """The same one for every size; others than CUDA graphs compile it for each."""
        return self.graph

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        with people_trouble(self.device, len(crops)):
            return self._runner(crops)

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Records the graphs that batches of these sizes need, the largest first."""
        with people_trouble(self.device, max(batch_sizes, default=0)):
            self._runner.prepare(batch_sizes)


class GraphSlot:
    """One recorded batch size with its pinned and its device buffers (a ``buckets.Slot``)."""

    def __init__(self, graph: nn.Module, card: Card, bucket: int, lane: Lane) -> None:
        crop_shape = (bucket, *card.input_hw, 3)
        heatmap_shape = (bucket, card.keypoints, *card.heatmap_hw)
        self.bucket = bucket
        self._lane = lane
        self._host_in = lane.pinned(crop_shape, torch.uint8)
        self._host_out = lane.pinned(heatmap_shape, torch.float32)
        self.crops: Crops = self._host_in.numpy()
        self.heatmaps: Heatmaps = self._host_out.numpy()
        self._device_in = device_in = lane.zeros(crop_shape, torch.uint8)
        # Ordered within the graph, channels-last heatmaps need no memory for it on their way back.
        self._recording = Recording(lane, lambda: graph(device_in).contiguous())

    def run(self) -> None:
        """One copy in, one replay, one copy out; returns when the heatmaps are there."""
        with self._lane:
            self._device_in.copy_(self._host_in, non_blocking=True)
            self._recording.run()
            self._host_out.copy_(self._recording.output, non_blocking=True)
        self._lane.wait()
