"""Pose networks as published: ``nn.Module``s that know nothing of files or images."""

import copy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from livepose.errors import WeightsError
from livepose.networks.hrnet import HRNet
from livepose.networks.simple_baseline import SimpleBaseline

HRNET_WIDTHS = {"hrnet_w32": 32, "hrnet_w48": 48}
RESNET_BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
NETWORKS = (*HRNET_WIDTHS, *RESNET_BLOCKS)
GIGA = 1024**3
"""In the published tables."""

_Convolution = nn.Conv2d | nn.ConvTranspose2d


def build_network(name: str, keypoints: int) -> nn.Module:
    """A network with so many keypoints, freshly initialised; WeightsError if none has the name."""
    if name in HRNET_WIDTHS:
        return HRNet(HRNET_WIDTHS[name], keypoints)
    if name in RESNET_BLOCKS:
        return SimpleBaseline(RESNET_BLOCKS[name], keypoints)
    raise WeightsError(f"there is no network named {name!r}; there are {', '.join(NETWORKS)}")


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with a third fewer layers.

    In all networks here a batch norm is registered right after its convolution; one that follows
    none stays as it is.
    """
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        for (name, layer), (norm_name, norm) in pairwise(list(module.named_children())):
            if isinstance(layer, _Convolution) and isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(layer, nn.ConvTranspose2d)
                setattr(module, name, fuse_conv_bn_eval(layer, norm, transpose=transposed))
                setattr(module, norm_name, nn.Identity())
    return folded


def published_gflops(network: nn.Module, input_hw: tuple[int, int], device: str = "meta") -> float:
    """Weights times output pixels of every convolution over 1024³, of an image (rows, columns).

    For a transposed convolution of stride 2 that is four times the true number of multiply-adds.
    A copy is run once, by default without storage, so that nothing is computed; a network that
    asks for values while it runs needs another ``device``.
    """
    counted = copy.deepcopy(network).to(device).eval()
    counts: list[int] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        counts.append(module.get_parameter("weight").numel() * output[0, 0].numel())

    for module in counted.modules():
        if isinstance(module, _Convolution):
            module.register_forward_hook(note)
    with torch.inference_mode():
        counted(torch.zeros(1, 3, *input_hw, device=device))
    return sum(counts) / GIGA
