"""Which person comes when: a pure function of the seed and the position in the training.

Every epoch is N draws. A person with weight w is drawn floor(w') or ceil(w') times in it, where
w' is its share of N (systematic resampling), and the epoch is shuffled, so that all are seen
equally often, and position 1,000,000 can be asked for without the 999,999 before it.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EPOCHS_REMEMBERED = 4
_STREAM = 0x0E90C4


class DrawOrder:
    """The order of people for a seed."""

    def __init__(self, draw_weights: NDArray[np.float64], seed: int) -> None:
        share = draw_weights / draw_weights.sum() * len(draw_weights)
        self._cumulative = np.cumsum(share)
        self._seed = seed
        self._count = len(draw_weights)
        self._epoch = lru_cache(EPOCHS_REMEMBERED)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.Generator(np.random.Philox([self._seed, _STREAM + epoch]))
        points = np.arange(self._count) + rng.random()
        drawn = np.searchsorted(self._cumulative, points, side="right")
        return rng.permutation(np.minimum(drawn, self._count - 1))

    def people(self, start: int, count: int) -> NDArray[np.int64]:
        """Indices of the people at positions ``start`` to ``start + count - 1``, (count,)."""
        positions = np.arange(start, start + count)
        epochs = positions // self._count
        return np.array(
            [
                self._epoch(int(epoch))[position % self._count]
                for epoch, position in zip(epochs, positions, strict=True)
            ],
            dtype=np.int64,
        )
