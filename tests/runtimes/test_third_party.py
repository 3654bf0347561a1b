"""ONNX and OpenVINO networks of other people run by what their model config says."""

from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from reference import relative_error

from livepose.errors import WeightsError
from livepose.runtimes import open_runtime
from livepose.runtimes.openvino import ov
from livepose.weights.card import IMAGENET_MEAN, IMAGENET_STD


def test_a_published_openvino_network_runs_as_its_authors_run_it(said, tinypose, photographs):
    crops, options = photographs((128, 96)), {"INFERENCE_PRECISION_HINT": "f32"}
    images = ((crops[..., ::-1] - np.array(IMAGENET_MEAN)) / IMAGENET_STD).transpose(0, 3, 1, 2)
    alone = ov.Core().compile_model(str(tinypose), "CPU", options)
    expected = np.concatenate([alone([one[None].astype(np.float32)])[0] for one in images])
    runtime = open_runtime(str(tinypose))  # in f32, as nothing says that it bears bf16
    runtime.warm_up((1, 2, 4))
    assert "openvino 128x96 (t.xml) on openvino, cpu, f32" in said[-1]
    assert relative_error(runtime(crops), expected) < 1e-3


@pytest.mark.parametrize(
    ("batch", "activation", "input_hw"),
    [(None, "none", (64, 48)), (1, "softmax", (64, 48)), (None, "softmax", (96, 64))],
    ids=["any batch", "one at a time", "another size"],
)
def test_an_onnx_network_runs_with_its_colour_normalisation_and_activation(
    batch, activation, input_hw, tmp_path
):
    random = np.random.default_rng(0)
    network = torch.nn.Conv2d(3, 17, 4, 4, bias=False)
    weights = network.weight.detach().numpy()
    with catch_warnings():
        simplefilter("ignore")
        torch.onnx.export(
            *(network, (torch.zeros(1, 3, 64, 48),), tmp_path / "net.onnx"),
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={} if batch else {"x": {0: "n"}, "y": {0: "n"}},
            dynamo=False,
        )
    (tmp_path / "net.toml").write_text(
        f'input = "64x48"\ncolour = "bgr"\nmean = [1, 2, 3]\nstd = [10, 20, 30]\n'
        f'sigma = 2.0\nactivation = "{activation}"\n'
    )
    crops = random.integers(0, 256, (3, *input_hw, 3), np.uint8)
    runtime = open_runtime(tmp_path / "net.onnx", precision="f32", input_hw=input_hw)
    runtime.warm_up((1, 3))
    images = ((crops - np.array([1, 2, 3])) / np.array([10, 20, 30])).transpose(0, 3, 1, 2)
    cells = images.reshape(3, 3, input_hw[0] // 4, 4, input_hw[1] // 4, 4)
    expected = np.einsum("bcyixj,kcij->bkyx", cells, weights)
    if activation == "softmax":
        powers = np.exp(expected - expected.max(axis=(2, 3), keepdims=True))
        expected = powers / powers.sum(axis=(2, 3), keepdims=True) * 2 * np.pi * 4
    assert relative_error(runtime(crops), expected.astype(np.float32)) < 1e-4


@pytest.mark.parametrize(
    ("skeleton", "input_hw", "sentence"),
    [
        ("mpii16", None, r"t.xml takes .*; 16 heatmaps of 32x24 for images of 128x96"),
        ("coco17", (96, 64), r"t.xml takes .*128,96.* for images of 96x64 .*--input"),
    ],
)
def test_an_export_of_other_shapes_than_asked_for_says_so(skeleton, input_hw, sentence, tinypose):
    tinypose.with_suffix(".toml").write_text(f'input = "128x96"\nskeleton = "{skeleton}"')
    with pytest.raises(WeightsError, match=sentence):
        open_runtime(tinypose, input_hw=input_hw)


@pytest.mark.parametrize("content", [b"", b"garbage" * 50], ids=["empty", "garbage"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_damaged_network_ends_in_one_sentence(content, suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    path.with_suffix(".toml").write_text('input = "64x48"')
    with pytest.raises(WeightsError, match=r"^[^\n]*cannot be read by OpenVINO[^\n]*$"):
        open_runtime(path)
