"""Apple's GPU, with the CPU in its place: it is used when it computes rightly, and never else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from livepose.errors import DeviceError
from livepose.runtimes import eager, open_runtime
from livepose.runtimes.eager import TorchRuntime
from livepose.weights import Card, load_network

Change = Callable[[np.ndarray], np.ndarray]


class Mps(TorchRuntime):
    """torch on MPS as a test wants it."""

    change: Change = staticmethod(lambda maps: maps)

    def __init__(self, network: nn.Module, card: Card, device: str, precision: str) -> None:
        super().__init__(network, card, "cpu", precision)
        self.wanted, self.device = device, "cpu"

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        return type(self).change(super().__call__(crops_bgr))


@pytest.fixture
def mps(monkeypatch: pytest.MonkeyPatch) -> type[Mps]:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    plain = TorchRuntime

    def made(network: nn.Module, card: Card, device: str, precision: str = "f32") -> TorchRuntime:
        return (Mps if device == "mps" else plain)(network, card, device, precision)

    monkeypatch.setattr(eager, "TorchRuntime", made)
    monkeypatch.setattr(Mps, "change", staticmethod(lambda maps: maps))
    return Mps


def test_mps_is_used_when_it_computes_rightly(
    said: list[str], mps: type[Mps], resnet_file: Path
) -> None:
    runtime = open_runtime(resnet_file, device="mps")
    assert isinstance(runtime, Mps)
    assert runtime.wanted == "mps"
    assert "on torch, mps, f32" in said[-1]


@pytest.mark.parametrize(
    "change",
    [lambda maps: np.roll(maps, 5, axis=3), lambda maps: maps * np.nan, lambda maps: maps[:, ::-1]],
    ids=("moved", "nan", "keypoints mixed up"),
)
def test_wrong_keypoints_are_refused_at_the_start(
    change: Change, mps: type[Mps], resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mps, "change", staticmethod(change))
    with pytest.raises(DeviceError, match="use --precision f32 or --device cpu"):
        open_runtime(resnet_file, device="mps")


def test_mps_without_a_mac_is_one_sentence(
    resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="mps was asked for and is not there; use --device cpu"):
        open_runtime(resnet_file, device="mps")


def test_a_full_apple_gpu_says_what_to_lower(
    resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(crops: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)")

    runtime = TorchRuntime(*load_network(resnet_file), "cpu")
    monkeypatch.setattr(runtime, "_graph", full)
    with pytest.raises(DeviceError, match="out of memory at 3 people at once; lower --max-people"):
        runtime(np.zeros((3, *runtime.card.input_hw, 3), np.uint8))
