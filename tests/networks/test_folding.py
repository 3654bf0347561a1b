"""Folded networks compute what the networks compute."""

import pytest
import torch
from torch import nn

from livepose.networks import build_network
from livepose.networks.folding import fold_batch_norms


def stirred(network: nn.Module) -> nn.Module:
    """The network with statistics as training leaves them."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                assert tensor is not None
                tensor.copy_(0.5 + 0.2 * torch.rand(tensor.shape, generator=generator))
            assert module.running_var is not None
            module.running_var.copy_(
                0.5 + torch.rand(module.running_var.shape, generator=generator)
            )
    return network.eval()


@pytest.mark.parametrize("name", ["hrnet_w32", "resnet50"])
def test_a_folded_network_gives_the_same_heatmaps_without_batch_norms(name: str) -> None:
    torch.manual_seed(0)
    network = stirred(build_network(name, 17))
    folded = fold_batch_norms(network)
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected, got = network(pictures), folded(pictures)
    assert (got - expected).abs().max() < 1e-4 * expected.std()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
