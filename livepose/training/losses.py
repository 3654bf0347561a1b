"""How far the network's maps are from the targets.

``softmax``: the outputs of one keypoint are log-probabilities over the cells, compared with the
target by cross-entropy (less the target's entropy, so that 0 is perfect). Its maps are
``exp(log_softmax) * 2 pi sigma²``: a Gaussian of sigma with a peak near 1 where the network is
sure, and flat and low where it is not. ``mse``: the outputs are the maps, compared cell by cell,
as in the papers. Both return a sum over keypoints and the sum of weights to divide it by.
"""

import math

import torch
from torch import Tensor

LOSSES = ("softmax", "mse")


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
