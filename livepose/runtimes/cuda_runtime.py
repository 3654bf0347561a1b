"""CUDA: the network in half precision as recorded graphs, one launch a batch.

Small networks on a GPU wait for launches, not for arithmetic. For each of a few batch sizes the
network's launches are recorded once; a batch is then one copy in from pinned memory, one replay,
one copy out. Nothing is allocated in the steady state.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from livepose.runtimes.buckets import SlotRunner
from livepose.runtimes.protocol import Crops, Heatmaps, checked_crops
from livepose.runtimes.torch_runtime import out_of_memory, prepared
from livepose.weights import Card

BUCKETS = (1, 2, 4, 8, 16, 32)
WARM_UP_RUNS = 3
"""Before recording, so that libraries have chosen their kernels and taken their memory."""


class CudaRuntime:
    """Runs recorded graphs on one GPU."""

    name = "cuda"

    def __init__(self, network: nn.Module, card: Card, device: str, precision: str = "f16") -> None:
        self.card = card
        self.device = device
        self.precision = precision
        self._graph = prepared(network, card, device, precision)
        self._pool: Any = None
        self._runner = SlotRunner(card, BUCKETS, self._make_slot)

    def _make_slot(self, bucket: int) -> "GraphSlot":
        slot = GraphSlot(self._graph, self.card, bucket, self.device, self._pool)
        self._pool = slot.pool
        return slot

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W)."""
        crops = checked_crops(crops_bgr, self.card)
        try:
            return self._runner(crops)
        except torch.OutOfMemoryError:
            raise out_of_memory(self.device, len(crops)) from None

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Records the graphs that batches of these sizes need, the largest first."""
        try:
            self._runner.prepare(batch_sizes)
        except torch.OutOfMemoryError:
            raise out_of_memory(self.device, max(batch_sizes)) from None


class GraphSlot:
    """One recorded batch size with its pinned and its device buffers (a ``buckets.Slot``)."""

    def __init__(
        self, graph: nn.Module, card: Card, bucket: int, device: str, pool: Any = None
    ) -> None:
        crop_shape = (bucket, *card.input_hw, 3)
        heatmap_shape = (bucket, card.keypoints, *card.heatmap_hw)
        self._host_in = torch.zeros(crop_shape, dtype=torch.uint8, pin_memory=True)
        self._host_out = torch.zeros(heatmap_shape, dtype=torch.float32, pin_memory=True)
        self.crops: Crops = self._host_in.numpy()
        self.heatmaps: Heatmaps = self._host_out.numpy()
        self._device_in = torch.zeros(crop_shape, dtype=torch.uint8, device=device)
        new_stream: Any = torch.cuda.Stream
        self._stream = new_stream(device)
        self._recording = torch.cuda.CUDAGraph()
        self._device_out = self._record(graph, device, pool)
        self.pool = self._recording.pool()

    def _record(self, graph: nn.Module, device: str, pool: Any) -> Tensor:
        with torch.cuda.device(device), torch.inference_mode():
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UP_RUNS):
                    graph(self._device_in)
            self._stream.synchronize()
            # Only this thread's calls are watched: a detector may use the GPU meanwhile.
            with torch.cuda.graph(
                self._recording,
                pool=pool,
                stream=self._stream,
                capture_error_mode="thread_local",
            ):
                heatmaps: Tensor = graph(self._device_in)
        return heatmaps

    def run(self) -> None:
        """One copy in, one replay, one copy out; returns when the heatmaps are there."""
        with torch.cuda.stream(self._stream), torch.inference_mode():
            self._device_in.copy_(self._host_in, non_blocking=True)
            self._recording.replay()
            self._host_out.copy_(self._device_out, non_blocking=True)
        self._stream.synchronize()
