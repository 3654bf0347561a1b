"""Target heatmaps of a batch, on whatever device the network is.

``dark`` draws the Gaussian around the true sub-pixel point (Zhang et al., arXiv 1910.06278,
section 3.2); ``standard`` around the nearest cell, cut at three sigma, as the networks before
it were trained. The same maps as ``livepose.heatmaps`` encodes, for many crops at once.
"""

import torch
from torch import Tensor

TARGETS = ("dark", "standard")
TRUNCATED_AT_SIGMA = 3.0


def target_maps(heatmap_xy: Tensor, heatmap_hw: tuple[int, int], sigma: float, kind: str) -> Tensor:
    """Gaussians with a peak of 1, (B, K, H, W), for points (B, K, 2) in heatmap px."""
    if kind not in TARGETS:
        raise ValueError(f"targets: expected one of {TARGETS}, got {kind!r}")
    height, width = heatmap_hw
    centre = torch.floor(heatmap_xy + 0.5) if kind == "standard" else heatmap_xy
    x = torch.arange(width, device=centre.device, dtype=centre.dtype) - centre[..., 0:1]
    y = torch.arange(height, device=centre.device, dtype=centre.dtype) - centre[..., 1:2]
    across, down = torch.exp(-(x**2) / (2 * sigma**2)), torch.exp(-(y**2) / (2 * sigma**2))
    if kind == "standard":
        across = across * (x.abs() <= TRUNCATED_AT_SIGMA * sigma)
        down = down * (y.abs() <= TRUNCATED_AT_SIGMA * sigma)
    return down[..., :, None] * across[..., None, :]
