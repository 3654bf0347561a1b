"""OpenVINO says what torch says, from the first start and from the cache, in every batch size."""

import random
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from reference import relative_error

from livepose.errors import DeviceError, WeightsError
from livepose.runtimes import open_runtime
from livepose.runtimes.openvino import has_bf16
from livepose.runtimes.openvino_graph import pose_graph
from livepose.runtimes.openvino_pose import OpenVinoRuntime, PoseNetwork
from livepose.weights import read_card
from livepose.weights.arrays import load_arrays, save_arrays
from livepose.weights.card import read_metadata


@pytest.mark.parametrize("which", ["hrnet_file", "resnet_file"])
def test_heatmaps_of_photographs_are_those_of_torch(which, photographs, request):
    path = request.getfixturevalue(which)
    card = read_card(path)
    crops = photographs(card.input_hw)
    expected = open_runtime(path, runtime="torch")(crops)
    for precision, most in {"f32": 0.005, **({"bf16": 0.05} if has_bf16() else {})}.items():
        # Random weights have flat maps: in bf16 their peaks jump, and the check would refuse them.
        runtime = OpenVinoRuntime(PoseNetwork(path, card).plain, card, precision)
        heatmaps = runtime(crops)
        assert (runtime.name, runtime.device, runtime.precision) == ("openvino", "cpu", precision)
        assert (heatmaps.dtype, heatmaps.shape) == (np.float32, expected.shape)
        assert relative_error(heatmaps, expected) < most


def test_every_batch_size_gives_the_same_in_the_same_order(resnet_file):
    runtime = open_runtime(resnet_file, runtime="openvino", precision="f32")
    assert isinstance(runtime, OpenVinoRuntime)
    crops = np.random.default_rng(0).integers(0, 256, (8, *runtime.card.input_hw, 3), np.uint8)
    answers = [runtime(crop[None]) for crop in crops]
    singly = np.concatenate(answers)
    assert not np.array_equal(answers[0], answers[1]), "an answer is overwritten by the next"
    assert np.array_equal(runtime(crops[:5]), singly[:5]), "as nothing else is warmed up"
    runtime.warm_up((1, 2, 4))
    for count in (2, 3, 5, 8):
        assert np.abs(runtime(crops[:count]) - singly[:count]).max() < 1e-3 * singly.std()
    assert runtime(crops[:0]).shape == (0, 16, 16, 24)


def test_the_conversion_is_announced_once(said, resnet_file, tmp_path, monkeypatch):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    for expected in (1, 0):
        said.clear()
        open_runtime(resnet_file, "openvino", precision="f32")
        assert sum("preparing the pose network" in line for line in said) == expected
    names = {path.name for path in (tmp_path / "networks").glob("resnet14-*/*")}
    assert names > {"graph.xml", "graph.bin", "probes-torch"}


def test_no_flipped_bit_of_the_cache_changes_what_is_found(resnet_file, tmp_path, monkeypatch):
    crops = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    expected = open_runtime(resnet_file, "openvino", precision="f32")(crops)
    folder = PoseNetwork(resnet_file, read_card(resnet_file)).store.folder
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    own = shutil.copytree(folder, tmp_path / "networks" / folder.name)
    chance = random.Random(3)
    for path in sorted(path for path in own.iterdir() if path.suffix != ".json"):
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(content))
    found = open_runtime(resnet_file, "openvino", precision="f32")(crops)
    assert np.allclose(found, expected, atol=1e-6)


def test_weights_that_claim_to_be_others_are_refused_and_change_nothing(
    resnet_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    stranger = tmp_path / "stranger.safetensors"
    tensors = load_arrays(resnet_file) | {"final_layer.bias": np.ones(16, np.float16)}
    save_arrays(stranger, tensors, read_metadata(resnet_file))
    assert read_card(stranger).sha256 == read_card(resnet_file).sha256
    for runtime in ("openvino", "torch"):
        with pytest.raises(WeightsError, match="not those that its card states"):
            open_runtime(stranger, runtime, precision="f32")
    crops = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    expected = open_runtime(resnet_file, "torch", precision="f32")(crops)
    found = open_runtime(resnet_file, "openvino", precision="f32")(crops)
    assert relative_error(found, expected) < 0.005


def test_the_ends_of_the_graph_are_marked_to_stay_precise(hrnet_file):
    open_runtime(hrnet_file, "openvino", precision="f32")
    store = PoseNetwork(hrnet_file, read_card(hrnet_file)).store
    layers = bytes(store.read("graph.xml") or b"").decode().split("<layer ")
    marked = [layer for layer in layers if "DisablePrecisionConversion" in layer]
    assert 3 <= sum('type="Convolution"' in layer for layer in marked) <= 6
    assert len(marked) < 0.03 * len(layers)


def test_wrong_heatmaps_stop_the_runtime_that_was_asked_for(said, resnet_file, monkeypatch):
    truth = PoseNetwork.reference
    monkeypatch.setattr(PoseNetwork, "reference", lambda self: truth(self)[:, ::-1])
    with pytest.raises(DeviceError, match="openvino on cpu in f32 finds other keypoints"):
        open_runtime(resnet_file, "openvino", precision="f32")
    runtime = open_runtime(resnet_file, precision="f32")
    assert runtime.name == "torch"
    assert any("not openvino, cpu, f32" in line for line in said)


def test_a_start_from_the_cache_tells_nobody(resnet_file):
    open_runtime(resnet_file, "openvino", precision="f32")
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('somebody was called')\n"
        "socket.socket.connect = refuse\n"
        "from livepose.runtimes import open_runtime\n"
        f"open_runtime({str(resnet_file)!r}, 'openvino', precision='f32')\n"
        "print('done')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "done", run.stderr


def test_tensors_of_another_network_than_the_card_says_are_refused_by_name(hrnet_file):
    card, tensors = read_card(hrnet_file), load_arrays(hrnet_file)
    other = replace(card, skeleton="mpii16", keypoints=16)
    left_out, narrow = "stage3.1.fuse_layers.0.2.1.bias", tensors["conv2.weight"][:, :32]
    fewer = {name: one for name, one in tensors.items() if name != left_out}
    for told, found, sentence in (
        (card, fewer, rf"lacks {left_out}"),
        (card, {**tensors, "head.extra": narrow}, r"1 tensors that .*head\.extra"),
        (card, {**tensors, "conv2.weight": narrow}, "does not fit hrnet_w8"),
        (other, tensors, "x has 17 keypoints; its card says 16"),
    ):
        with pytest.raises(WeightsError, match=sentence):
            pose_graph(found, told, "x")
