"""Target heatmaps of a batch on whatever device the network is, and how far maps are from them.

``dark`` draws the Gaussian around the true sub-pixel point (Zhang et al., arXiv 1910.06278,
section 3.2); ``standard`` around the nearest cell, cut at three sigma, as the networks before
it were trained. The same maps as ``livepose.heatmaps`` encodes, for many crops at once.

Loss ``softmax``: the outputs of one keypoint are log-probabilities over the cells, compared with
the target by cross-entropy (less the target's entropy, so that 0 is perfect). Its maps are
``exp(log_softmax) * 2 pi sigma²``: a Gaussian of sigma with a peak near 1 where the network is
sure, and flat and low where it is not. ``mse``: the outputs are the maps, compared cell by cell,
as in the papers. Both return a sum over keypoints and the sum of weights to divide it by.
"""

import math

import torch
from torch import Tensor

from livepose.training.settings import TARGETS

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


def softmax_maps(outputs: Tensor, sigma: float) -> Tensor:
    """Heatmaps (B, K, H, W) of a network with softmax outputs."""
    log_share = torch.log_softmax(outputs.float().flatten(2), dim=-1)
    return (log_share.exp() * (2 * math.pi * sigma**2)).view(outputs.shape)


def softmax_loss(
    outputs: Tensor, targets: Tensor, weights: Tensor, absent_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of outputs (B, K, H, W) against targets of the same shape.

    Keypoints that are known to be out of sight are compared with an even map, with their own
    weights (B, K), so that they have no peak.
    """
    log_share = torch.log_softmax(outputs.float().flatten(2), dim=-1)
    cells = log_share.shape[-1]
    share = targets.flatten(2)
    share = share / share.sum(dim=-1, keepdim=True).clamp_min(1e-9)
    surprise = torch.special.xlogy(share, share).sum(dim=-1) - (share * log_share).sum(dim=-1)
    even = -math.log(cells) - log_share.mean(dim=-1)
    total = (weights * surprise).sum() + (absent_weights * even).sum()
    return total, (weights + absent_weights).sum()


def mse_loss(
    maps: Tensor, targets: Tensor, weights: Tensor, absent_weights: Tensor, sigma: float
) -> tuple[Tensor, Tensor]:
    """Squared error of maps (B, K, H, W), summed over cells, over that of an empty map.

    So an empty map costs 1. Keypoints known to be out of sight have an empty target.
    """
    scale = 1 / (math.pi * sigma**2)
    wrong = (maps.float() - targets).square().sum(dim=(2, 3)) * scale
    filled = maps.float().square().sum(dim=(2, 3)) * scale
    total = (weights * wrong).sum() + (absent_weights * filled).sum()
    return total, (weights + absent_weights).sum()
