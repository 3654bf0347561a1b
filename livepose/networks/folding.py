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
        for convolution, norm in _pairs(module):
            _fold(module, convolution, norm)
    return folded


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of a module's convolutions and of the batch norms that follow them."""
    names = [name for name, _ in module.named_children()]
    if isinstance(module, nn.Sequential):
        candidates = list(pairwise(names))
    else:
        candidates = [(name, name.replace("conv", "bn")) for name in names if _numbered(name)]
    return [pair for pair in candidates if _foldable(module, *pair)]


def _numbered(name: str) -> bool:
    return re.fullmatch(r"conv\d+", name) is not None


def _foldable(module: nn.Module, convolution: str, norm: str) -> bool:
    first, second = getattr(module, convolution), getattr(module, norm, None)
    return isinstance(first, Convolution) and isinstance(second, nn.BatchNorm2d)


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    first, second = getattr(module, convolution), getattr(module, norm)
    transposed = isinstance(first, nn.ConvTranspose2d)
    setattr(module, convolution, fuse_conv_bn_eval(first, second, transpose=transposed))
    setattr(module, norm, nn.Identity())
