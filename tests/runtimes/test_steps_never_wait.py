"""What runs on a device must not wait for it in between, nor fetch anything from the processor.

Tensors on torch's ``meta`` device have no values: asking for one, as a wait does, is an error. An
operation that mixes them with tensors of the processor would be a copy.
"""

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from livepose.runtimes.torch import TorchRuntime
from livepose.weights.checkpoint import load_network


class Devices(TorchDispatchMode):
    """Notes operations on tensors of more than one device."""

    def __init__(self):
        super().__init__()
        self.mixed: list[str] = []
        self.seen = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        answer = operation(*args, **(kwargs or {}))
        leaves = _pytree.tree_leaves((args, kwargs, answer))
        self.seen += 1
        if len({leaf.device.type for leaf in leaves if isinstance(leaf, Tensor)}) > 1:
            self.mixed.append(str(operation))
        return answer


@pytest.mark.parametrize("which", ["hrnet_file", "resnet_file"])
def test_from_bytes_to_heatmaps(which, request):
    network, card = load_network(request.getfixturevalue(which))
    graph = TorchRuntime(network, card, "meta", "f16").graph
    crops = torch.empty(2, *card.input_hw, 3, dtype=torch.uint8, device="meta")
    with torch.inference_mode(), Devices() as noted:
        heatmaps = graph(crops)
    assert noted.seen > 50 and noted.mixed == []
    assert heatmaps.shape == (2, card.keypoints, *card.heatmap_hw)
    assert heatmaps.dtype == torch.float32  # from here on half precision loses nothing more


def test_a_wait_would_be_noticed():
    with pytest.raises(RuntimeError, match="meta"):
        torch.empty(1, device="meta").item()
    with Devices() as noted:
        torch.ones(2).to("meta")
    assert noted.mixed
