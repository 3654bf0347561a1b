"""The CUDA runtime's logic, on the CPU in the place of a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from livepose.errors import DeviceError
from livepose.runtimes import cuda, open_runtime, select
from livepose.runtimes.cuda import BATCH_SIZES, CudaRuntime, GraphSlot
from livepose.runtimes.cuda_graph import CudaStream
from livepose.weights import Card, load_network

made: list["NotedSlot"] = []


class NotedSlot(GraphSlot):
    """A slot that is noted; on the CPU it runs the steps that a GPU would have recorded."""

    def __init__(self, graph: nn.Module, card: Card, size: int, stream: CudaStream) -> None:
        super().__init__(graph, card, size, stream)
        made.append(self)


@pytest.fixture
def runtime(resnet_file: Path, monkeypatch: pytest.MonkeyPatch) -> CudaRuntime:
    made.clear()
    monkeypatch.setattr(cuda, "GraphSlot", NotedSlot)
    network, card = load_network(resnet_file)
    return CudaRuntime(network, card, "cpu", "f32")


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_any_batch_gives_what_torch_gives(
    count: int, runtime: CudaRuntime, resnet_file: Path
) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (count, 64, 96, 3), np.uint8)
    expected = open_runtime(resnet_file, "torch")(crops)
    heatmaps = runtime(crops)
    assert heatmaps.shape == expected.shape
    assert np.allclose(heatmaps, expected, atol=1e-5)
    assert [slot.size for slot in made] == {0: [], 1: [1], 3: [4], 6: [8]}[count]


def test_a_batch_beyond_the_largest_size_goes_in_several(
    runtime: CudaRuntime, resnet_file: Path
) -> None:
    runtime.sizes = (4, 1, 2)
    crops = np.random.default_rng(0).integers(0, 256, (9, 64, 96, 3), np.uint8)
    assert np.allclose(runtime(crops), open_runtime(resnet_file, "torch")(crops), atol=1e-5)
    assert [slot.size for slot in made] == [4, 1]


def test_the_largest_slot_comes_first_and_none_is_made_twice(runtime: CudaRuntime) -> None:
    runtime.warm_up((1, 2, 3))
    runtime.warm_up((4, 2))
    assert [slot.size for slot in made] == [4, 2, 1]


def test_buffers_stay_where_they_are(runtime: CudaRuntime) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    first = runtime(crops)
    (slot,) = made
    places = slot.crops.ctypes.data, slot.heatmaps.ctypes.data
    second = runtime(crops[::-1])
    assert (slot.crops.ctypes.data, slot.heatmaps.ctypes.data) == places
    assert np.allclose(first, second[::-1], atol=1e-5)


def test_buckets_are_powers_of_two_up_to_a_crowd() -> None:
    assert BATCH_SIZES == (1, 2, 4, 8, 16, 32)


def test_a_full_gpu_says_what_to_lower(
    runtime: CudaRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> GraphSlot:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(cuda, "GraphSlot", full)
    with pytest.raises(DeviceError, match=r"ran out of memory at 7 people .* lower --max-people"):
        runtime(np.zeros((7, 64, 96, 3), np.uint8))
    with pytest.raises(DeviceError, match="ran out of memory at 16 people"):
        runtime.warm_up((1, 16))


def test_the_gpu_is_checked_against_the_cpu_before_it_is_used(
    resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(GraphSlot):
        def run(self) -> None:
            self.heatmaps[:] = 0.5

    original = cuda.prepared
    monkeypatch.setattr(cuda, "prepared", lambda n, c, d, p: original(n, c, "cpu", "f32"))
    monkeypatch.setattr(select, "cuda_devices", lambda: 1)
    monkeypatch.setattr(cuda, "CudaStream", lambda _: CudaStream("cpu"))
    runtime = open_runtime(resnet_file, "cuda")
    assert (runtime.name, runtime.device, runtime.precision) == ("cuda", "cuda:0", "f16")
    monkeypatch.setattr(cuda, "GraphSlot", Wrong)
    with pytest.raises(DeviceError, match="cuda on cuda:0 in f16 finds other keypoints"):
        open_runtime(resnet_file, "cuda")


def test_a_card_that_torch_cannot_use_is_left_for_the_processor(
    said: list[str], resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_old(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: no kernel image is available for execution")

    monkeypatch.setattr(select, "cuda_devices", lambda: 1)
    monkeypatch.setattr(cuda, "CudaStream", lambda _: CudaStream("cpu"))
    monkeypatch.setattr(cuda, "prepared", too_old)
    assert open_runtime(resnet_file, precision="f32").device == "cpu"
    assert said[0].startswith("pose: not cuda, cuda:0, f32: cuda:0 failed while loading: CUDA")
    with pytest.raises(DeviceError, match=r"no kernel image .* use --device cpu"):
        open_runtime(resnet_file, "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")
def test_recorded_graphs_give_what_torch_gives(hrnet_file: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (37, 128, 96, 3), np.uint8)
    runtime = open_runtime(hrnet_file, "cuda")
    runtime.warm_up((1, 2, 4, 8, 16, 32))
    expected = open_runtime(hrnet_file, "torch")(crops)
    for count in (1, 3, 8, 37):
        difference = runtime(crops[:count]) - expected[:count]
        assert np.sqrt(np.mean(difference**2)) < 0.03 * expected.std()
