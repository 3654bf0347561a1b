"""What every runtime offers: bytes of crops in, heatmaps out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.weights import Card

Crops = NDArray[np.uint8]
Heatmaps = NDArray[np.float32]


class Runtime(Protocol):
    """A pose network, ready to run.

    ``name``, ``device`` and ``precision`` are ``openvino``, ``cpu``, ``bf16`` for instance; the
    card says how crops are to be cut and heatmaps to be decoded.
    """

    name: str
    device: str
    precision: str
    card: Card

    def __call__(self, crops_bgr: Crops) -> Heatmaps:
        """Crops uint8 (B, h, w, 3), blue first, to heatmaps float32 (B, K, H, W); B may be 0."""

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Runs batches of these sizes once, so that the first frame need not wait."""


def empty_heatmaps(card: Card, count: int = 0) -> Heatmaps:
    """Room for the answer to a batch, float32 (count, K, H, W)."""
    return np.empty((count, card.keypoints, *card.heatmap_hw), dtype=np.float32)


def checked_crops(crops_bgr: Crops, card: Card) -> Crops:
    """The crops in one piece of memory.

    ValueError if they are not uint8 (B, h, w, 3) of the card's size.
    """
    wanted = (*card.input_hw, 3)
    if crops_bgr.dtype != np.uint8 or crops_bgr.ndim != 4 or crops_bgr.shape[1:] != wanted:
        raise ValueError(
            f"crops have to be uint8 (B, {', '.join(map(str, wanted))}), "
            f"got {crops_bgr.dtype} {crops_bgr.shape}"
        )
    return np.ascontiguousarray(crops_bgr)
