"""CUDA: the network in half precision as recorded graphs, one launch a batch.

For each of a few batch sizes the network's launches are recorded once; a batch is then one copy in
from pinned memory, one replay, one copy out. Nothing is allocated in the steady state.

This is the runtime as evaluation and the self-check use it, bytes of crops in and heatmaps out.
Live, ``gpu_poses`` takes its network and puts crops and decoding into the same graph.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from livepose.runtimes.batches import padded_slices
from livepose.runtimes.cuda_graph import CudaGraph, CudaStream, people_errors
from livepose.runtimes.eager import prepared
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops, no_heatmaps
from livepose.weights import Card

BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class CudaRuntime:
    """Runs recorded graphs on one GPU: bytes of crops on the device to heatmaps on the device.

    Each of ``sizes`` is recorded when it is first needed; batches are padded up to the next.
    """

    name = "cuda"

    def __init__(
        self,
        network: nn.Module,
        card: Card,
        device: str,
        precision: str = "f16",
        sizes: Sequence[int] = BATCH_SIZES,
    ) -> None:
        self.card = card
        self.device = device
        self.precision = precision
        self.sizes = tuple(sizes)
        with people_errors(device, 0):
            self.stream = CudaStream(device)
            self.graph = prepared(network, card, device, precision)
        self._slots: dict[int, GraphSlot] = {}

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        heatmaps = np.empty((len(crops), *no_heatmaps(self.card).shape[1:]), np.float32)
        with people_errors(self.device, len(crops)):
            for part in padded_slices(len(crops), self.sizes):
                slot, count = self._slot(part.size), part.stop - part.start
                # What stays in the rest of the buffer is run too and not looked at.
                slot.crops[:count] = crops[part.start : part.stop]
                slot.run()
                heatmaps[part.start : part.stop] = slot.heatmaps[:count]
        return heatmaps

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Records the graphs that batches of these sizes need, the largest first."""
        needed = {part.size for count in batch_sizes for part in padded_slices(count, self.sizes)}
        with people_errors(self.device, max(batch_sizes, default=0)):
            for size in sorted(needed, reverse=True):
                self._slot(size).run()

    def _slot(self, size: int) -> "GraphSlot":
        if size not in self._slots:
            self._slots[size] = GraphSlot(self.graph, self.card, size, self.stream)
        return self._slots[size]


class GraphSlot:
    """One recorded batch size with its pinned and its device buffers, which never move.

    ``crops``, uint8 (size, h, w, 3), are to be filled, and ``heatmaps``, float32 (size, K, H, W),
    to be read after a run.
    """

    def __init__(self, graph: nn.Module, card: Card, size: int, stream: CudaStream) -> None:
        crop_shape = (size, *card.input_hw, 3)
        heatmap_shape = (size, card.keypoints, *card.heatmap_hw)
        self.size = size
        self._stream = stream
        self._host_in = stream.pinned(crop_shape, torch.uint8)
        self._host_out = stream.pinned(heatmap_shape, torch.float32)
        self.crops: Crops = self._host_in.numpy()
        self.heatmaps: Heatmaps = self._host_out.numpy()
        self._device_in = device_in = stream.zeros(crop_shape, torch.uint8)
        # Ordered within the graph, channels-last heatmaps need no memory for it on their way back.
        self._recording = CudaGraph(stream, lambda: graph(device_in).contiguous())

    def run(self) -> None:
        """One copy in, one replay, one copy out; returns when the heatmaps are there."""
        with self._stream:
            self._device_in.copy_(self._host_in, non_blocking=True)
            self._recording.run()
            self._host_out.copy_(self._recording.output, non_blocking=True)
        self._stream.wait()
