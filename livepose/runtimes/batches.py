"""Batches of any size over networks that were prepared for a few sizes.

A network compiled for fixed shapes takes exactly the batch it was made for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchSlice:
    """Crops ``start`` to ``stop`` of a batch, run by the network that takes ``size`` crops."""

    start: int
    stop: int
    size: int


def exact_slices(count: int, sizes: Sequence[int]) -> list[BatchSlice]:
    """The batch in few slices without padding, even ones where it can be; ``sizes`` has to hold 1.

    One crop by itself takes nearly as long as two together, so that 5 are 3 and 2, not 4 and 1.

    >>> [part.size for part in exact_slices(5, [1, 2, 3, 4])]
    [3, 2]
    >>> [part.size for part in exact_slices(7, [1, 2, 4])]
    [4, 2, 1]
    """
    slices: list[BatchSlice] = []
    start = 0
    while start < count:
        left = count - start
        even = math.ceil(left / math.ceil(left / max(sizes)))
        size = even if even in sizes else max(size for size in sizes if size <= left)
        slices.append(BatchSlice(start, start + size, size))
        start += size
    return slices
