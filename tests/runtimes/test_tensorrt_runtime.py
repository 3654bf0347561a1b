"""TensorRT's place in the runtimes, with a stand-in for the compiler, on the CPU."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from livepose.errors import DeviceError, UsageError
from livepose.runtimes import cuda_runtime, open_runtime, selection, torch_runtime
from livepose.runtimes.recording import Lane
from livepose.runtimes.tensorrt_runtime import TensorRtRuntime
from livepose.weights import load_network


class Compiler(SimpleNamespace):
    """Gives the network back, or what a test wants."""

    def __init__(self, change: Any = None) -> None:
        super().__init__(asked=[], change=change)

    def compile(self, network: nn.Module, **options: Any) -> nn.Module:
        self.asked.append(options)
        return network if self.change is None else self.change(network)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    made = Compiler()
    monkeypatch.setitem(sys.modules, "torch_tensorrt", made)
    return made


def test_an_engine_is_built_once_for_each_batch_size_and_gives_what_torch_gives(
    compiler: Compiler, resnet_file: Path
) -> None:
    network, card = load_network(resnet_file)
    runtime = TensorRtRuntime(network, card, "cpu", "f32")
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), np.uint8)
    expected = open_runtime(resnet_file, "torch")(crops)
    for count in (1, 3, 3, 1):
        assert np.allclose(runtime(crops[:count]), expected[:count], atol=1e-5)
    assert [options["inputs"][0].shape[0] for options in compiler.asked] == [1, 4]
    for options in compiler.asked:
        # Newer versions refuse ``enabled_precisions`` beside networks that are typed already.
        assert options["use_explicit_typing"]
        assert "enabled_precisions" not in options
        assert options["device"] == torch.device("cpu")


def test_an_engine_that_cannot_be_built_is_one_sentence(
    compiler: Compiler, resnet_file: Path
) -> None:
    def refuse(network: nn.Module) -> nn.Module:
        raise AssertionError("no kernel for this card\nand a long trace")

    compiler.change = refuse
    network, card = load_network(resnet_file)
    wanted = r"cannot build resnet50 for 1 people on cpu: no kernel for this card; use --runtime"
    with pytest.raises(DeviceError, match=wanted):
        TensorRtRuntime(network, card, "cpu", "f32")(np.zeros((1, 64, 96, 3), np.uint8))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU in the place of one GPU."""
    prepared = torch_runtime.prepared
    monkeypatch.setattr(cuda_runtime, "prepared", lambda n, c, d, p: prepared(n, c, "cpu", "f32"))
    monkeypatch.setattr(cuda_runtime, "Lane", lambda _: Lane("cpu"))
    monkeypatch.setattr(selection, "cuda_devices", lambda: 1)


def test_an_engine_that_computes_wrongly_is_found_out(
    gpu: None, compiler: Compiler, resnet_file: Path
) -> None:
    class Upside(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            return self.network(crops).flip(2)

    compiler.change = Upside
    with pytest.raises(DeviceError, match="tensorrt on cuda:0 in f32"):
        open_runtime(resnet_file, "tensorrt", precision="f32")


def test_without_its_package_it_says_what_to_install(
    gpu: None, resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    with pytest.raises(DeviceError, match=r"livepose\[tensorrt\].*--runtime cuda"):
        open_runtime(resnet_file, "tensorrt")


def test_it_runs_on_a_gpu_or_not_at_all(resnet_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "cuda_devices", lambda: 0)
    with pytest.raises(UsageError, match="runtime tensorrt runs on a CUDA GPU, not on cpu"):
        open_runtime(resnet_file, "tensorrt", "cpu")
    with pytest.raises(DeviceError, match="no CUDA GPU"):
        open_runtime(resnet_file, "tensorrt")
