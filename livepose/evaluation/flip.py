"""Flip test: the network also sees the mirrored crop, and both answers are averaged.

Whether the mirrored answer falls on the plain one depends on where the checkpoint puts its pixel
centres. The mirror image of input column x is W - 1 - x and that of heatmap column c is w - 1 - c.
With ``pixel_centre`` (column c at input 4c + 1.5) and with ``dark`` and ``udp`` (outer columns on
outer columns) these agree. With ``hrnet`` and ``stride`` (column c at input 4c) they are 3 input
pixels, three quarters of a column, apart; the published code moves the mirrored map by one column
to the right (SHIFT_HEATMAP of Sun et al., CVPR 2019), which leaves a quarter.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Heatmaps = NDArray[np.float32]

SHIFTED_ALIGNMENTS = frozenset({"hrnet", "stride"})


def mirrored_crops(crops_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crops (B, h, w, 3) left for right, contiguous."""
    return np.ascontiguousarray(crops_bgr[:, :, ::-1])


def mirrored_back(
    heatmaps: Heatmaps, flip_permutation: Sequence[int], shift: bool = False
) -> Heatmaps:
    """Heatmaps (B, K, H, W) of mirrored crops, as those of the plain crops.

    Columns are turned back and left and right keypoints are swapped. With ``shift`` column c takes
    what stood in column c - 1, and column 0 keeps its own.
    """
    back = np.ascontiguousarray(heatmaps[:, list(flip_permutation), :, ::-1])
    if shift:
        back[..., 1:] = back[..., :-1].copy()
    return back


def needs_shift(alignment: str) -> bool:
    """Does this alignment call for the published shift by one column?"""
    return alignment in SHIFTED_ALIGNMENTS


def average(plain: Heatmaps, mirrored: Heatmaps) -> Heatmaps:
    """Mean of both answers."""
    return np.asarray((plain + mirrored) * np.float32(0.5))
