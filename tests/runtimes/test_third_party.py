"""ONNX and OpenVINO networks of other people run by what their model config says."""

from collections.abc import Callable
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from reference import relative_error

from livepose.errors import UsageError, WeightsError
from livepose.heatmaps import decode
from livepose.runtimes import open_runtime
from livepose.runtimes.openvino import ov

Photographs = Callable[[tuple[int, int]], NDArray[np.uint8]]


def plain(path: Path, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The file's own network, one normalised image at a time, by nothing but OpenVINO."""
    core = ov.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    network = core.compile_model(core.read_model(path), "CPU", options)
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    images = ((crops_bgr[..., ::-1] - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    return np.concatenate([network([one[None]])[0] for one in images])


def test_a_published_openvino_network_runs_as_its_authors_run_it(
    said: list[str], tinypose: Path, photographs: Photographs
) -> None:
    crops = photographs((128, 96))
    expected = plain(tinypose, crops)
    runtime = open_runtime(str(tinypose))  # in f32, as nothing says that it bears bf16
    runtime.warm_up((1, 2, 4))
    heatmaps = runtime(crops)
    assert runtime.name == "openvino"
    assert "openvino 128x96 (t.xml) on openvino, cpu, f32" in said[-1]
    assert relative_error(heatmaps, expected) < 1e-3
    before, after = decode(expected, "dark", 3), decode(heatmaps, "dark", 3)
    sure = before.scores > 0.3
    shift_px = 4 * np.linalg.norm(before.xy - after.xy, axis=-1)[sure]
    assert sure.sum() > 50
    assert np.median(shift_px) < 0.01


def onnx_file(path: Path, weights: NDArray[np.float32], batch: int | None = None) -> Path:
    """A network of one convolution of stride 4, as ONNX."""
    network = torch.nn.Conv2d(3, len(weights), 4, 4, bias=False)
    network.weight.data = torch.from_numpy(weights)
    names = {"input_names": ["x"], "output_names": ["y"]}
    axes = {} if batch else {"x": {0: "n"}, "y": {0: "n"}}
    with catch_warnings():
        simplefilter("ignore")
        images = (torch.zeros(1, 3, 64, 48),)
        torch.onnx.export(network, images, path, **names, dynamic_axes=axes, dynamo=False)
    return path


@pytest.mark.parametrize(
    ("batch", "activation", "input_hw"),
    [(None, "none", (64, 48)), (1, "softmax", (64, 48)), (None, "softmax", (96, 64))],
    ids=["any batch", "one at a time", "another size"],
)
def test_an_onnx_network_runs_with_its_colour_normalisation_and_activation(
    batch: int | None, activation: str, input_hw: tuple[int, int], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(17, 3, 4, 4)).astype(np.float32)
    path = onnx_file(tmp_path / "net.onnx", weights, batch)
    (tmp_path / "net.toml").write_text(
        f'input = "64x48"\ncolour = "bgr"\nmean = [1, 2, 3]\nstd = [10, 20, 30]\n'
        f'sigma = 2.0\nactivation = "{activation}"\n'
    )
    crops = random.integers(0, 256, (3, *input_hw, 3), np.uint8)
    runtime = open_runtime(path, precision="f32", input_hw=input_hw)
    runtime.warm_up((1, 3))
    images = ((crops - np.array([1, 2, 3])) / np.array([10, 20, 30])).transpose(0, 3, 1, 2)
    cells = images.reshape(3, 3, input_hw[0] // 4, 4, input_hw[1] // 4, 4)
    expected = np.einsum("bcyixj,kcij->bkyx", cells, weights)
    if activation == "softmax":
        powers = np.exp(expected - expected.max(axis=(2, 3), keepdims=True))
        expected = powers / powers.sum(axis=(2, 3), keepdims=True) * 2 * np.pi * 4
    assert relative_error(runtime(crops), expected.astype(np.float32)) < 1e-4


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('input = "128x96"\nskeleton = "mpii16"', r"; 16 heatmaps of 32x24 for images of 128x96"),
        ("", "lacks the size"),
    ],
)
def test_a_model_config_that_does_not_fit_is_named(
    config: str, sentence: str, tinypose: Path
) -> None:
    tinypose.with_suffix(".toml").write_text(config)
    with pytest.raises(WeightsError, match=sentence):
        open_runtime(tinypose)


@pytest.mark.parametrize("content", [b"", b"garbage" * 50], ids=["empty", "garbage"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_damaged_network_ends_in_one_sentence(
    content: bytes, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    path.with_suffix(".toml").write_text('input = "64x48"')
    with pytest.raises(WeightsError, match="cannot be read by OpenVINO") as caught:
        open_runtime(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"runtime": "torch"}, "torch is for livepose's own weights"),
        ({"precision": "int8"}, "others' files bear no int8"),
    ],
)
def test_foreign_networks_run_in_openvino_only(
    choice: dict[str, str], sentence: str, tinypose: Path
) -> None:
    with pytest.raises(UsageError, match=sentence):
        open_runtime(tinypose, **choice)
