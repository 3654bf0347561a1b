"""What a network costs: parameters, and GFLOPs as the published tables count them.

Their rule: the weights of every convolution times the pixels of its output, over 1024³ (for
transposed convolutions that is four times the true number of multiply-adds).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from livepose.networks import NETWORKS, build_network, count_operations
from livepose.networks.complexity import GIGA

NUMBERS = frozenset({"f32", "f16", "bf16", "i8", "u8", "i4", "u4"})
"""Kinds of constants that are weights; 64-bit integers are shapes."""


@dataclass(frozen=True)
class Cost:
    """Parameters in millions and GFLOPs by the published rule."""

    params_m: float
    gflops: float


@lru_cache(maxsize=16)
def network_cost(name: str, keypoints: int, input_hw: tuple[int, int]) -> Cost | None:
    """Cost of one of livepose's networks, from shapes alone; None for another's."""
    if name not in NETWORKS:
        return None
    with torch.device("meta"):
        network = build_network(name, keypoints)
    return module_cost(network, input_hw)


def module_cost(network: nn.Module, input_hw: tuple[int, int], device: str = "meta") -> Cost:
    """Cost of any network that is made of convolutions; see ``count_operations``."""
    counted = count_operations(network, input_hw, device)
    return Cost(counted.parameters / 1e6, counted.published_gflops)


def openvino_cost(model: Any) -> Cost:
    """Cost of an OpenVINO model of fixed input shape."""
    constants = pixels = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "Constant" and node.get_element_type().get_type_name() in NUMBERS:
            constants += int(np.prod(list(node.get_output_shape(0)), dtype=np.int64))
        if kind in {"Convolution", "GroupConvolution"}:
            weights = int(np.prod(list(node.get_input_shape(1)), dtype=np.int64))
            pixels += weights * int(np.prod(list(node.get_output_shape(0))[2:], dtype=np.int64))
    return Cost(constants / 1e6, pixels / GIGA)
