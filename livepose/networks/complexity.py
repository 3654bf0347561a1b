"""How much a network computes, as the published tables count it."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

GIGA = 1024**3


def published_gflops(network: nn.Module, input_hw: tuple[int, int], device: str = "meta") -> float:
    """Weights times output pixels of every convolution over 1024³, of an image (rows, columns).

    For a transposed convolution of stride 2 that is four times the true number of multiply-adds.
    The network is left as it is: a copy is run once, by default without storage, so that nothing
    is computed. A network that asks for values while it runs needs another ``device``.
    """
    skeleton = copy.deepcopy(network).to(device).eval()
    counts: list[int] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        weights = module.get_parameter("weight").numel()
        counts.append(weights * output.shape[-2] * output.shape[-1])

    for module in skeleton.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(note)
    with torch.inference_mode():
        skeleton(torch.zeros(1, 3, *input_hw, device=device))
    return sum(counts) / GIGA
