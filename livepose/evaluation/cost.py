"""What a network costs: parameters, and GFLOPs as the published tables count them.

Their rule: the weights of every convolution times the pixels of its output, over 1024³ (for
transposed convolutions that is four times the true number of multiply-adds).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from livepose.networks import NETWORKS, build_network, count_operations


@dataclass(frozen=True)
class Cost:
    """Parameters in millions and GFLOPs by the published rule."""

    params_m: float
    gflops: float


NO_COST = Cost(math.nan, math.nan)


@lru_cache(maxsize=16)
def network_cost(name: str, keypoints: int, input_hw: tuple[int, int]) -> Cost:
    """Cost of one of livepose's networks, from shapes alone; NaN for another's."""
    if name not in NETWORKS:
        return NO_COST
    with torch.device("meta"):
        return module_cost(build_network(name, keypoints), input_hw)


def module_cost(network: nn.Module, input_hw: tuple[int, int], device: str = "meta") -> Cost:
    """Cost of any network that is made of convolutions; see ``count_operations``."""
    counted = count_operations(network, input_hw, device)
    return Cost(counted.parameters / 1e6, counted.published_gflops)
