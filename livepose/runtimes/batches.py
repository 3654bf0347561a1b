"""Batches of any size over networks that were prepared for a few sizes.

A compiled network (OpenVINO with fixed shapes, a CUDA graph) takes exactly the batch it was made
for. On a GPU a batch is padded up to the next such size, as its time hardly depends on it; on a
CPU, where time goes with the batch, it is cut into slices that fit exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from livepose.runtimes.protocol import Crops, Heatmaps, no_heatmaps
from livepose.weights import Card


@dataclass(frozen=True)
class BatchSlice:
    """Crops ``start`` to ``stop`` of a batch, run by the network that takes ``size`` crops."""

    start: int
    stop: int
    size: int


def exact_slices(count: int, sizes: Sequence[int]) -> list[BatchSlice]:
    """The batch in few slices without padding; ``sizes`` has to hold 1.

    >>> [(part.start, part.stop) for part in exact_slices(7, [1, 2, 4])]
    [(0, 4), (4, 6), (6, 7)]
    """
    slices: list[BatchSlice] = []
    start = 0
    for size in sorted(sizes, reverse=True):
        while count - start >= size:
            slices.append(BatchSlice(start, start + size, size))
            start += size
    return slices


def padded_slices(count: int, sizes: Sequence[int]) -> list[BatchSlice]:
    """The batch in as few slices as can be; only the last one may have to be padded.

    >>> padded_slices(3, [1, 2, 4])
    [BatchSlice(start=0, stop=3, size=4)]
    """
    largest = max(sizes)
    starts = range(0, count, largest)
    return [
        BatchSlice(start, stop, next_size(stop - start, sizes))
        for start, stop in ((start, min(start + largest, count)) for start in starts)
    ]


def next_size(count: int, sizes: Sequence[int]) -> int:
    """The smallest size that holds ``count``, or the largest that there is."""
    return min((size for size in sizes if size >= count), default=max(sizes))


class Slot(Protocol):
    """A network prepared for one batch size, with buffers of its own that never move."""

    crops: Crops
    """uint8 (size, h, w, 3), to be filled."""
    heatmaps: Heatmaps
    """float32 (size, K, H, W), to be read after a run."""

    def run(self) -> None:
        """From ``crops`` to ``heatmaps``; returns when they are there."""


class SlotRunner:
    """Runs batches of any size on padded slots, which are made when they are first needed."""

    def __init__(self, card: Card, sizes: Sequence[int], make_slot: Callable[[int], Slot]) -> None:
        self._card = card
        self._sizes = tuple(sorted(sizes))
        self._make_slot = make_slot
        self._slots: dict[int, Slot] = {}

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W), in the same order."""
        heatmaps = np.empty((len(crops_bgr), *no_heatmaps(self._card).shape[1:]), np.float32)
        for part in padded_slices(len(crops_bgr), self._sizes):
            slot = self._slot(part.size)
            count = part.stop - part.start
            # What stays in the rest of the buffer is run too and not looked at.
            slot.crops[:count] = crops_bgr[part.start : part.stop]
            slot.run()
            heatmaps[part.start : part.stop] = slot.heatmaps[:count]
        return heatmaps

    def _slot(self, size: int) -> Slot:
        if size not in self._slots:
            self._slots[size] = self._make_slot(size)
        return self._slots[size]

    def prepare(self, batch_sizes: Sequence[int]) -> None:
        """Makes the slots that these batches need, the largest first."""
        needed = {part.size for count in batch_sizes for part in padded_slices(count, self._sizes)}
        for size in sorted(needed, reverse=True):
            self._slot(size).run()
