"""What is exported finds what livepose finds, without livepose."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from livepose.cli import main
from livepose.errors import UsageError
from livepose.export import export, files
from livepose.networks import RESNET_BLOCKS, build_network
from livepose.pipeline import PosePipeline
from livepose.runtimes.openvino import ov
from livepose.runtimes.torch import reference_heatmaps
from livepose.runtimes.verify import people, probe_crops
from livepose.weights import Card, find_weights, read_card
from livepose.weights.checkpoint import load_network, save_checkpoint

pytest.importorskip("onnx", reason="the optional package onnx")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "run_onnx.py"


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "pose.onnx"
    assert main(["export", "onnx", "--output", str(path), "--heatmaps"]) == 0
    return path


def test_onnx_runtime_finds_livepose_s_keypoints_and_covariances(onnx_file):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the optional package onnxruntime")
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    card = read_card(find_weights("default"))
    crops = probe_crops(card)
    keypoints, heatmaps = session.run(["keypoints", "heatmaps"], {"crops_bgr": crops})
    network, _ = load_network(find_weights("default"))
    reference = reference_heatmaps(network, card)
    np.testing.assert_allclose(heatmaps, reference, atol=1e-4)
    expected = files.expected_keypoints(reference, card)
    sure = expected[..., 2] > 0.2
    assert sure.mean() > 0.5
    np.testing.assert_allclose(keypoints[sure][:, :3], expected[sure][:, :3], atol=1e-3)
    np.testing.assert_allclose(keypoints[sure][:, 3:], expected[sure][:, 3:], rtol=1e-2, atol=1e-3)
    [one] = session.run(["keypoints"], {"crops_bgr": crops[1:2]})
    np.testing.assert_allclose(one[0][sure[1], :2], keypoints[1][sure[1], :2], atol=1e-3)


def test_the_file_says_what_it_is(onnx_file):
    import onnx

    told = {one.key: one.value for one in onnx.load(onnx_file).metadata_props}
    assert (told["format"], told["input_hw"]) == ("livepose-keypoints-1", "128x96")
    assert told["columns"] == "x y score cov_xx cov_xy cov_yy"
    assert told["alignment"] == "pixel_centre"
    assert json.loads(told["skeleton"])["keypoints"][0] == "nose"


def test_a_script_without_livepose_runs_it(onnx_file, tmp_path):
    pytest.importorskip("onnxruntime", reason="the optional package onnxruntime")
    text = EXAMPLE.read_text()
    assert "import livepose" not in text and "from livepose" not in text
    image = tmp_path / "person.png"
    cv2.imwrite(str(image), people()[0])

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command, alone = [sys.executable, EXAMPLE, *words], {"PATH": os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=alone)

    assert run().stderr == "usage: python run_onnx.py MODEL.onnx PICTURE\n"
    assert run(onnx_file, "no.png").stderr.splitlines()[-1] == "cannot read no.png"
    rows = [line.split() for line in run(onnx_file, image).stdout.splitlines()]
    with_livepose = PosePipeline(detector="none", runtime="torch", device="cpu").process(image)
    assert [row[0] for row in rows] == list(with_livepose.skeleton.keypoints)
    found_xy = np.array([[float(row[1]), float(row[2])] for row in rows])
    off_px = np.linalg.norm(found_xy - with_livepose.keypoints_xy[0], axis=1)
    assert np.median(off_px[with_livepose.keypoint_scores[0] > 0.3]) < 4.0  # another resampling


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """Made-up weights of a network that is written in a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RESNET_BLOCKS, "resnet14", (1, 1, 1, 1))
        torch.manual_seed(0)
        network = build_network("resnet14", 17)
        for name, weight in network.named_parameters():  # the usual start leaves maps flat
            if name.startswith(("deconv", "final")) and weight.ndim == 4:
                torch.nn.init.normal_(weight, std=0.05)
        path = tmp_path_factory.mktemp("small") / "small.safetensors"
        save_checkpoint(path, network.state_dict(), Card("resnet14", (128, 96)))
        yield path


def test_openvino_agrees_and_carries_the_card(small_file, tmp_path):
    assert export("openvino", tmp_path / "pose.xml", small_file) <= files.LIMIT_PX
    model = ov.Core().read_model(tmp_path / "pose.xml")
    assert model.get_rt_info(["livepose", "input_hw"]).value == "128x96"
    assert {one.name for one in tmp_path.iterdir()} == {"pose.xml", "pose.bin"}


@pytest.mark.filterwarnings("ignore:.*torch.jit.load.*:DeprecationWarning")
def test_torchscript_in_half_precision_agrees_and_carries_the_card(tmp_path):
    path, extra = tmp_path / "pose.pt", {"livepose.json": ""}
    assert export("torchscript", path, half=True) <= files.LIMIT_PX
    torch.jit.load(path, _extra_files=extra)
    assert json.loads(extra["livepose.json"])["input_hw"] == "128x96"
    assert path.stat().st_size < 70e6


def test_a_file_that_finds_something_else_is_deleted(small_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "heatmap_to_crop", lambda card: ((4.0, 4.0), (1.6, 1.5)))
    words = ["export", "torchscript", "--weights", str(small_file)]
    assert main([*words, "--output", str(tmp_path / "pose.pt")]) == 6
    assert "0.1 px of the crop from where livepose finds them" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("onnx", "pose.xml", r"ends in \.onnx"),
        ("onnx", "there.onnx", "--overwrite"),
        ("coreml", "pose.ml", "expected one of onnx, .*, got 'coreml'"),
    ],
)
def test_what_cannot_be_exported_is_said(kind, name, said, tmp_path):
    (tmp_path / "there.onnx").touch()
    with pytest.raises(UsageError, match=said):
        export(kind, tmp_path / name)
