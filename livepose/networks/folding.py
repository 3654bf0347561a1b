"""Batch normalisation folded into the convolutions before it, for networks that only run."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Convolution = nn.Conv2d | nn.ConvTranspose2d


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with a third fewer layers.

    In all networks here a batch norm is registered right after its convolution; one that follows
    none stays as it is.
    """
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        for (name, layer), (norm_name, norm) in pairwise(list(module.named_children())):
            if isinstance(layer, Convolution) and isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(layer, nn.ConvTranspose2d)
                setattr(module, name, fuse_conv_bn_eval(layer, norm, transpose=transposed))
                setattr(module, norm_name, nn.Identity())
    return folded
