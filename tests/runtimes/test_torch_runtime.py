"""The reference: bytes to heatmaps exactly as the plain network computes them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from livepose.errors import UsageError
from livepose.runtimes import open_runtime
from livepose.runtimes.eager import TorchRuntime
from livepose.weights import load_network


def by_hand(path: Path, crops_bgr: np.ndarray) -> np.ndarray:
    """Heatmaps computed step by step in float64, without any of the runtimes' code."""
    network, card = load_network(path)
    pictures = crops_bgr[..., ::-1] if card.colour == "rgb" else crops_bgr
    normal = (pictures.astype(np.float64) - np.array(card.mean)) / np.array(card.std)
    with torch.inference_mode():
        maps = network.double()(torch.from_numpy(normal.transpose(0, 3, 1, 2).copy())).numpy()
    if card.activation == "softmax":
        powers = np.exp(maps - maps.max(axis=(2, 3), keepdims=True))
        maps = powers / powers.sum(axis=(2, 3), keepdims=True) * 2 * np.pi * card.sigma**2
    return maps


@pytest.mark.parametrize("which", ["hrnet_file", "resnet_file"])
def test_heatmaps_are_those_computed_by_hand(which: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(which)
    runtime = open_runtime(path, runtime="torch")
    crops = np.random.default_rng(0).integers(0, 256, (3, *runtime.card.input_hw, 3), np.uint8)
    heatmaps, expected = runtime(crops), by_hand(path, crops)
    assert heatmaps.dtype == np.float32
    assert heatmaps.shape == expected.shape
    assert np.abs(heatmaps - expected).max() < 1e-3 * expected.std()


def test_log_heatmaps_become_gaussians_of_known_mass(resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="torch")
    heatmaps = runtime(np.zeros((1, 64, 96, 3), np.uint8))
    assert heatmaps.sum(axis=(2, 3)) == pytest.approx(2 * np.pi * 1.5**2, rel=1e-5)


def test_an_empty_batch_gives_no_heatmaps(resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="torch")
    assert runtime(np.zeros((0, 64, 96, 3), np.uint8)).shape == (0, 16, 16, 24)


def test_crops_that_must_not_be_written_to_or_are_strided_are_taken(resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="torch")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 192, 3), np.uint8)
    expected = runtime(np.ascontiguousarray(crops[:, :, ::2]))
    crops.flags.writeable = False
    assert np.array_equal(runtime(crops[:, :, ::2]), expected)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 64, 96, 3), np.float32),
        np.zeros((1, 96, 64, 3), np.uint8),
        np.zeros((64, 96, 3), np.uint8),
        np.zeros((1, 3, 64, 96), np.uint8),
    ],
)
def test_other_crops_than_bytes_of_the_right_size_are_refused(
    crops: np.ndarray, resnet_file: Path
) -> None:
    runtime = open_runtime(resnet_file, runtime="torch")
    with pytest.raises(ValueError, match=r"crops have to be uint8 \(B, 64, 96, 3\), got"):
        runtime(crops)


def test_half_precision_on_the_cpu_is_refused(resnet_file: Path) -> None:
    network, card = load_network(resnet_file)
    with pytest.raises(UsageError, match="no quick f16 on the cpu"):
        TorchRuntime(network, card, "cpu", "f16")
