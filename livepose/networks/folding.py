"""Batch normalisation folded into the convolutions before it, for networks that only run."""

import copy
import re
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Convolution = nn.Conv2d | nn.ConvTranspose2d


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with a third fewer layers.

    Pairs are found by the names that all networks here use: ``conv1`` with ``bn1``, and
    neighbours in a sequence. Batch norms that follow no convolution stay as they are.
    """
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        for name, norm_name in _pairs(module):
            convolution, norm = getattr(module, name), getattr(module, norm_name)
            transposed = isinstance(convolution, nn.ConvTranspose2d)
            setattr(module, name, fuse_conv_bn_eval(convolution, norm, transpose=transposed))
            setattr(module, norm_name, nn.Identity())
    return folded


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of a module's convolutions and of the batch norms that follow them."""
    layers = dict(module.named_children())
    if isinstance(module, nn.Sequential):
        candidates = list(pairwise(layers))
    else:
        numbered = [name for name in layers if re.fullmatch(r"conv\d+", name)]
        candidates = [(name, name.replace("conv", "bn")) for name in numbered]
    return [
        (name, norm)
        for name, norm in candidates
        if isinstance(layers[name], Convolution) and isinstance(layers.get(norm), nn.BatchNorm2d)
    ]
