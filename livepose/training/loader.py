"""Batches, prepared in background threads, in order.

A batch is a pure function of its step, so it is the same whatever the number of threads, and a
resumed training sees what an uninterrupted one would have.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from livepose.training.appearance import Appearance
from livepose.training.order import DrawOrder
from livepose.training.plan import Plan, Planner
from livepose.training.render import render_crops

PREFETCHED = 3


@dataclass(frozen=True)
class Batch:
    """Network input (B, 3, h, w) with its labels: (B, K, 2), (B, K), (B, K)."""

    inputs: Tensor
    heatmap_xy: Tensor
    weights: Tensor
    absent_weights: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device, inputs channels-last."""
        return Batch(
            self.inputs.to(device, non_blocking=True, memory_format=torch.channels_last),
            self.heatmap_xy.to(device, non_blocking=True),
            self.weights.to(device, non_blocking=True),
            self.absent_weights.to(device, non_blocking=True),
        )


def labels(plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """Heatmap positions, weights and absent weights of a plan as float32 tensors."""
    heatmap_xy, weights, absent = (
        torch.from_numpy(values).float()
        for values in (plan.heatmap_xy, plan.weights, plan.absent_weights)
    )
    return heatmap_xy, weights, absent


class Renderer(Protocol):
    """Turns plans into batches: ``prepare`` in a background thread, ``finish`` in the loop."""

    def prepare(self, plan: Plan) -> Batch | Plan:
        """What can be done beside the training."""
        ...

    def finish(self, prepared: Batch | Plan) -> Batch:
        """What has to be done on the device."""
        ...


class CpuRenderer:
    """Cuts crops from the pictures with OpenCV."""

    def __init__(self, planner: Planner, appearance: Appearance, device: torch.device) -> None:
        self._people = planner.people
        self._input_hw = planner.geometry.input_hw
        self._appearance = appearance
        self._device = device

    def prepare(self, plan: Plan) -> Batch | Plan:
        """The whole batch."""
        crops_bgr = torch.from_numpy(render_crops(self._people, plan, self._input_hw))
        crops_rgb = crops_bgr.flip(-1).permute(0, 3, 1, 2).float()
        return Batch(self._appearance(crops_rgb, plan), *labels(plan))

    def finish(self, prepared: Batch | Plan) -> Batch:
        """Only moves the batch to where the network is."""
        assert isinstance(prepared, Batch)  # noqa: S101
        return prepared.to(self._device)


class Loader:
    """Batches of a training from ``start_step`` on."""

    def __init__(
        self,
        planner: Planner,
        order: DrawOrder,
        renderer: Renderer,
        hardness: Callable[[int], float],
        batch: int,
        rows: slice,
        start_step: int,
        workers: int,
    ) -> None:
        self._planner, self._order, self._renderer = planner, order, renderer
        self._hardness, self._batch, self._rows = hardness, batch, rows
        self._next = start_step
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
        self._waiting: deque[Future[Batch | Plan]] = deque()
        self._ahead = PREFETCHED + workers - 1
        self.waited_s = 0.0

    def _submit(self) -> None:
        while len(self._waiting) < self._ahead:
            step, self._next = self._next, self._next + 1
            self._waiting.append(self._pool.submit(self._prepare, step, self._hardness(step)))

    def _prepare(self, step: int, hardness: float) -> Batch | Plan:
        people = self._order.people(step * self._batch, self._batch)
        plan = self._planner.draw(people, step, hardness).rows(self._rows)
        return self._renderer.prepare(plan)

    def take(self) -> Batch:
        """The next batch; the time spent waiting for it is added to ``waited_s``."""
        start = time.perf_counter()
        self._submit()
        prepared = self._waiting.popleft().result()
        self._submit()
        batch = self._renderer.finish(prepared)
        self.waited_s += time.perf_counter() - start
        return batch

    def close(self) -> None:
        """Stop preparing."""
        self._pool.shutdown(wait=True, cancel_futures=True)
