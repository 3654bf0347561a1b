"""The running mean of all weights, which is better than the weights themselves."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_ema(ema: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move the mean towards the network, faster in the first steps; buffers too."""
    decay = min(decay, (1 + step) / (20 + step))
    means: list[Tensor] = []
    values: list[Tensor] = []
    for mean, value in zip(ema.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            means.append(mean)
            values.append(value)
        else:
            mean.copy_(value)
    torch._foreach_lerp_(means, values, 1 - decay)
