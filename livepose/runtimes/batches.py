"""Batches of any size over networks that were prepared for a few sizes.

A compiled network (OpenVINO with fixed shapes, a CUDA graph) takes exactly the batch it was made
for. On a GPU a batch is padded up to the next such size, as its time hardly depends on it; on a
CPU, where time goes with the batch, it is cut into slices that fit exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass


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
    return [
        BatchSlice(start, min(start + largest, count), next_size(count - start, sizes))
        for start in range(0, count, largest)
    ]


def next_size(count: int, sizes: Sequence[int]) -> int:
    """The smallest size that holds ``count``, or the largest that there is."""
    return min((size for size in sizes if size >= count), default=max(sizes))
