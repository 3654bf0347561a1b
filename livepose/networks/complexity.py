"""How large a network is and how much it computes."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

GIGA = 1024**3


@dataclass(frozen=True)
class Operations:
    """Parameters and multiply-adds of one picture.

    ``multiply_adds`` is what is really computed in convolutions. ``published_gflops`` is the
    count of the published tables: weights times output pixels of every convolution over 1024^3,
    which for a transposed convolution of stride 2 is four times the true number.
    """

    parameters: int
    multiply_adds: int
    published_gflops: float


def count_operations(
    network: nn.Module, input_hw: tuple[int, int], device: str = "meta"
) -> Operations:
    """Counts what one picture of ``input_hw`` (rows, columns) costs.

    The network is left as it is: a copy is run once, by default without storage, so that nothing
    is computed. A network that asks for values while it runs needs another ``device``.
    """
    skeleton = copy.deepcopy(network).to(device).eval()
    true_counts: list[int] = []
    published_counts: list[int] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        weights = module.get_parameter("weight").numel()
        out_pixels = output.shape[-2] * output.shape[-1]
        in_pixels = inputs[0].shape[-2] * inputs[0].shape[-1]
        transposed = isinstance(module, nn.ConvTranspose2d)
        published_counts.append(weights * out_pixels)
        true_counts.append(weights * (in_pixels if transposed else out_pixels))

    for module in skeleton.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(note)
    with torch.inference_mode():
        skeleton(torch.zeros(1, 3, *input_hw, device=device))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Operations(parameters, sum(true_counts), sum(published_counts) / GIGA)
