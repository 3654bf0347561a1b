"""How much a network computes, as the published tables count it."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

GIGA = 1024**3


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
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(note)
    with torch.inference_mode():
        counted(torch.zeros(1, 3, *input_hw, device=device))
    return sum(counts) / GIGA
