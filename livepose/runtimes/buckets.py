"""Batches of any size over networks that were prepared for a few sizes.

A compiled network (OpenVINO with fixed shapes, a CUDA graph) takes exactly the batch it was made
for. On a GPU a batch is padded up to the next such size, as its time hardly depends on it; on a
CPU, where time goes with the batch, it is cut into pieces that fit exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from livepose.runtimes.protocol import Crops, Heatmaps, no_heatmaps
from livepose.weights import Card


@dataclass(frozen=True)
class Piece:
    """Crops ``start`` to ``stop`` of a batch, run by the network that takes ``bucket`` crops."""

    start: int
    stop: int
    bucket: int


def exact_pieces(count: int, buckets: Sequence[int]) -> list[Piece]:
    """The batch in few pieces without padding; ``buckets`` has to hold 1.

    >>> [(piece.start, piece.stop) for piece in exact_pieces(7, [1, 2, 4])]
    [(0, 4), (4, 6), (6, 7)]
    """
    pieces: list[Piece] = []
    start = 0
    for bucket in sorted(buckets, reverse=True):
        while count - start >= bucket:
            pieces.append(Piece(start, start + bucket, bucket))
            start += bucket
    return pieces


def padded_pieces(count: int, buckets: Sequence[int]) -> list[Piece]:
    """The batch in as few pieces as can be; only the last one may have to be padded.

    >>> padded_pieces(3, [1, 2, 4])
    [Piece(start=0, stop=3, bucket=4)]
    """
    largest = max(buckets)
    starts = range(0, count, largest)
    return [
        Piece(start, stop, next_bucket(stop - start, buckets))
        for start, stop in ((start, min(start + largest, count)) for start in starts)
    ]


def next_bucket(count: int, buckets: Sequence[int]) -> int:
    """The smallest bucket that holds ``count``, or the largest that there is."""
    return min((bucket for bucket in buckets if bucket >= count), default=max(buckets))


class Slot(Protocol):
    """A network prepared for one batch size, with buffers of its own that never move."""

    crops: Crops
    """uint8 (bucket, h, w, 3), to be filled."""
    heatmaps: Heatmaps
    """float32 (bucket, K, H, W), to be read after a run."""

    def run(self) -> None:
        """From ``crops`` to ``heatmaps``; returns when they are there."""


class SlotRunner:
    """Runs batches of any size on padded slots, which are made when they are first needed."""

    def __init__(
        self, card: Card, buckets: Sequence[int], make_slot: Callable[[int], Slot]
    ) -> None:
        self._card = card
        self._buckets = tuple(sorted(buckets))
        self._make_slot = make_slot
        self._slots: dict[int, Slot] = {}

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3) to heatmaps float32 (B, K, H, W), in the same order."""
        heatmaps = np.empty((len(crops_bgr), *no_heatmaps(self._card).shape[1:]), np.float32)
        for piece in padded_pieces(len(crops_bgr), self._buckets):
            slot = self._slot(piece.bucket)
            size = piece.stop - piece.start
            # What stays in the rest of the buffer is run too and not looked at.
            slot.crops[:size] = crops_bgr[piece.start : piece.stop]
            slot.run()
            heatmaps[piece.start : piece.stop] = slot.heatmaps[:size]
        return heatmaps

    def _slot(self, bucket: int) -> Slot:
        if bucket not in self._slots:
            self._slots[bucket] = self._make_slot(bucket)
        return self._slots[bucket]

    def prepare(self, batch_sizes: Sequence[int]) -> None:
        """Makes the slots that these batches need, the largest first."""
        needed = {
            piece.bucket for count in batch_sizes for piece in padded_pieces(count, self._buckets)
        }
        for bucket in sorted(needed, reverse=True):
            self._slot(bucket).run()
