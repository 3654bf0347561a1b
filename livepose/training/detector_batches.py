"""Batches for the detector's own loop, in the form that ultralytics' loss wants."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from livepose.boxes import Boxes
from livepose.training.detector_augment import Pixels, Sampler

PREFETCHED = 3


def make_batch(samples: Sequence[tuple[Pixels, Boxes]]) -> dict[str, Tensor]:
    """Samples as ultralytics' loss wants them: boxes as shares, centre and size."""
    inputs = np.stack([pixels for pixels, _ in samples])
    boxes = np.concatenate([boxes for _, boxes in samples]) / inputs.shape[-1]
    owner = np.repeat(np.arange(len(samples)), [len(boxes) for _, boxes in samples])
    xywh = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    images = torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last)
    return {
        "img": images,
        "batch_idx": torch.from_numpy(owner).float(),
        "cls": torch.zeros(len(boxes), 1),
        "bboxes": torch.from_numpy(xywh).float(),
    }


class Batches:
    """Batches from ``step`` on, prepared in a thread beside the training, in order."""

    def __init__(self, sampler: Sampler, batch: int, step: int) -> None:
        self._sampler, self._batch, self._next = sampler, batch, step
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._waiting: deque[Future[dict[str, Tensor]]] = deque()

    def _prepare(self, step: int) -> dict[str, Tensor]:
        first = step * self._batch
        return make_batch([self._sampler(index) for index in range(first, first + self._batch)])

    def take(self) -> dict[str, Tensor]:
        """The next batch."""
        while len(self._waiting) <= PREFETCHED:
            self._waiting.append(self._pool.submit(self._prepare, self._next))
            self._next += 1
        return self._waiting.popleft().result()

    def close(self) -> None:
        """Stop preparing."""
        self._pool.shutdown(wait=True, cancel_futures=True)
