"""What is recorded must not wait for the device, nor fetch anything from the processor.

Tensors on torch's ``meta`` device have no values: asking for one, as a wait does, is an error. An
operation that mixes them with tensors of the processor would be a copy in the recording.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from gpu.toys import CARD, toy_network
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from livepose.detection.cuda_engine import SurestPeople
from livepose.heatmaps import on_device
from livepose.runtimes.eager import PoseGraph, prepared
from livepose.runtimes.frames import gather


class Devices(TorchDispatchMode):
    """Notes operations on tensors of more than one device."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed: list[str] = []
        self.seen = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        answer = operation(*args, **(kwargs or {}))
        leaves = _pytree.tree_leaves((args, kwargs, answer))
        devices = {leaf.device.type for leaf in leaves if isinstance(leaf, Tensor)}
        self.seen += 1
        if len(devices) > 1:
            self.mixed.append(str(operation))
        return answer


@pytest.fixture
def devices() -> Iterator[Devices]:
    with torch.inference_mode(), Devices() as noted:
        yield noted
    assert noted.seen > 0
    assert noted.mixed == []


def tables(samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    height, width = CARD.input_hw
    shapes = [(2, side, 2 * samples) for side in (height, width)] * 2
    kinds = (torch.int32, torch.int32, torch.float32, torch.float32)
    first, second, third, fourth = (
        torch.empty(shape, dtype=kind, device="meta")
        for shape, kind in zip(shapes, kinds, strict=True)
    )
    return first, second, third, fourth


@pytest.mark.parametrize("background", [0.0, 114.0])
def test_cutting_crops(background: float, devices: Devices) -> None:
    pixels = torch.empty(100, 3, dtype=torch.uint8, device="meta")
    crops = gather(pixels, tables(2), background)
    assert (crops.shape, crops.dtype) == ((2, *CARD.input_hw, 3), torch.uint8)


@pytest.fixture
def graph() -> PoseGraph:
    return prepared(toy_network(), CARD, "meta", "f16")


def test_the_network_and_dark(graph: PoseGraph, devices: Devices) -> None:
    heatmaps = graph(torch.empty(2, *CARD.input_hw, 3, dtype=torch.uint8, device="meta"))
    assert heatmaps.dtype == torch.float32  # from here on half precision loses nothing more
    figures = on_device.decode_dark(
        heatmaps, torch.empty(CARD.blur_kernel, dtype=torch.float64, device="meta")
    )
    assert figures.shape == (2, CARD.keypoints, on_device.FIGURES)
    assert figures.dtype == torch.float64
    assert figures.is_contiguous()


class Candidates(torch.nn.Module):
    """A head with more candidates than come back."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.new_empty(len(pictures), 5, 4000)


@pytest.fixture
def steps() -> SurestPeople:
    return SurestPeople(Candidates(), 0).to("meta", torch.float16)


def test_choosing_the_surest_people(steps: SurestPeople, devices: Devices) -> None:
    answer = steps(torch.empty(2, 64, 96, 3, dtype=torch.uint8, device="meta"))
    assert (answer.shape, answer.dtype) == ((2, 5, 1024), torch.float32)


def test_a_wait_would_be_noticed() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        torch.empty(1, device="meta").item()
    with Devices() as noted:
        torch.ones(2).to("meta")
    assert noted.mixed
