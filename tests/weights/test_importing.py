"""Checkpoints of four projects, in every form they are published in, become the same weights."""

import functools
import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.weights import Card, import_checkpoint, load_checkpoint, load_network
from livepose.weights.arrays import tensors_sha256
from livepose.weights.importing import read_published

State = dict[str, Tensor]


@functools.cache
def small_state(network: str = "resnet50", keypoints: int = 17) -> State:
    """A state dict of the right names and shapes that takes no room: every tensor is one value."""
    return OrderedDict(
        (name, torch.full((), 0.5).to(tensor.dtype).expand(tensor.shape))
        for name, tensor in build_network(network, keypoints).state_dict().items()
    )


def bare(state: State) -> object:
    return state


def prefixed(state: State) -> object:
    return {f"module.{name}": tensor for name, tensor in state.items()}


def training_checkpoint(state: State) -> object:
    wrong = {f"module.{name}": torch.zeros(1) for name in state}
    return {
        "epoch": 210,
        "model": "pose_hrnet",
        "state_dict": wrong,
        "best_state_dict": state,
        "perf": np.float64(0.75),
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
    }


def parallel_checkpoint(state: State) -> object:
    return {"epoch": 3, "state_dict": prefixed(state)}


def without_counters(state: State) -> State:
    return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}


def mmpose(head: str, **meta: object) -> Callable[[State], object]:
    def wrap(state: State) -> object:
        heads = ("final_layer.", "deconv_layers.")
        renamed = {
            (f"{head}.{name}" if name.startswith(heads) else f"backbone.{name}"): tensor
            for name, tensor in state.items()
        }
        renamed["data_preprocessor.mean"] = torch.zeros(3, 1, 1)
        return {"meta": {"epoch": 210, **meta}, "state_dict": renamed}

    return wrap


def written(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "wrap",
    [
        *(bare, prefixed, training_checkpoint, parallel_checkpoint, without_counters),
        mmpose("keypoint_head", mmpose_version="0.7.0", config="model = dict()"),
        mmpose("head", dataset_meta={"sigmas": np.array([0.026, 0.025]), "name": "coco"}),
    ],
)
@pytest.mark.parametrize("network", ["resnet50", "hrnet_w32"])
def test_every_published_form_gives_the_official_names(
    wrap: Callable[[State], object], network: str, tmp_path: Path
) -> None:
    state = small_state(network)
    family = "mmpose" if wrap.__name__ == "wrap" else "hrnet"
    path = written(tmp_path / "some_256x192.pth", wrap(state))
    read, card = read_published(path, family=family)
    assert (card.network, card.keypoints, card.input_hw) == (network, 17, (256, 192))
    left_out = set(state) - set(read)
    assert all(
        wrap is without_counters and name.endswith("num_batches_tracked") for name in left_out
    )
    assert set(read) <= set(state)
    assert all(tensor.shape == state[name].shape for name, tensor in read.items())


def test_what_was_imported_loads_as_a_network(tmp_path: Path, cache: Path) -> None:
    path = written(tmp_path / "pose_256x192.pth", without_counters(small_state()))
    target, card = import_checkpoint(path, family="dark")
    assert target == cache / "weights" / "pose_256x192.safetensors"
    network, stored_card = load_network(target)
    assert card == stored_card and card.network == "resnet50"
    assert card.sha256 == tensors_sha256(load_checkpoint(target)[0])
    assert network.get_parameter("conv1.weight").unique().item() == 0.5
    assert network.get_buffer("bn1.num_batches_tracked").item() == 0
    output = tmp_path / "a" / "b.safetensors"
    target, _ = import_checkpoint(path, family="dark", output=output, dtype=torch.float32)
    assert target == output
    assert load_checkpoint(target)[0]["conv1.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    ("filename", "network", "keypoints", "wrap", "family", "expected"),
    [
        ("pose_hrnet_w32_256x192.pth", "hrnet_w32", 17, bare, None, ("hrnet", 11, 2, "rgb")),
        ("pose_hrnet_w32_256x256.pth", "hrnet_w32", 16, bare, None, ("hrnet", 11, 2, "rgb")),
        ("pose_resnet_50_384x288.pth", "resnet50", 17, bare, None, ("hrnet", 11, 3, "bgr")),
        ("pose_resnet_50_256x192.pth.tar", "resnet50", 17, bare, None, ("hrnet", 11, 2, "bgr")),
        ("w32_128x96.pth", "hrnet_w32", 17, bare, None, ("dark", 3, 1, "rgb")),
        ("w48_128x96.pth", "hrnet_w48", 17, bare, None, ("dark", 11, 1, "rgb")),
        ("best_128x96.pth", "resnet50", 17, bare, None, ("dark", 3, 1, "bgr")),
        ("dark_w32_256x192.pth", "hrnet_w32", 17, bare, None, ("dark", 11, 2, "rgb")),
        ("x_384x288.pth", "hrnet_w32", 17, bare, "dark", ("dark", 11, 3, "rgb")),
        ("x_256x192.pth", "resnet50", 17, bare, "simple-baseline", ("hrnet", 11, 2, "bgr")),
        ("x_256x192.pth", "resnet50", 17, mmpose("head"), None, ("hrnet", 11, 2, "rgb")),
        ("x_dark_256x192.pth", "hrnet_w32", 17, mmpose("head"), None, ("hrnet", 11, 2, "rgb")),
        ("x_udp_256x192.pth", "hrnet_w32", 17, mmpose("head"), None, ("udp", 11, 2, "rgb")),
        (
            *("epoch_210.pth", "hrnet_w32", 17),
            mmpose("head", cfg="codec = dict(type='UDPHeatmap', input_size=(192, 256), sigma=2)"),
            *(None, ("udp", 11, 2, "rgb")),
        ),
    ],
)
def test_the_conventions_of_each_family_are_kept(
    filename: str,
    network: str,
    keypoints: int,
    wrap: Callable[[State], object],
    family: str | None,
    expected: tuple[str, int, float, str],
    tmp_path: Path,
) -> None:
    path = written(tmp_path / filename, wrap(small_state(network, keypoints)))
    _, card = read_published(path, family=family)
    assert (card.alignment, card.blur_kernel, card.sigma, card.colour) == expected
    assert card.skeleton == {17: "coco17", 16: "mpii16"}[keypoints]
    assert card.mean == (123.675, 116.28, 103.53)
    assert card.activation == "none"


def test_the_way_of_decoding_is_noted(tmp_path: Path) -> None:
    for told, decoding in ({}, "shift"), ({"cfg": "codec = dict(\n  unbiased = True)"}, "dark"):
        path = written(tmp_path / "x_256x192.pth", mmpose("head", **told)(small_state()))
        assert read_published(path)[1].notes["decoding"] == decoding


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"family": "hrnet", "network": "hrnet_w32"}, "is resnet50 .*; network hrnet_w32 was want"),
        ({"family": "hrnet", "keypoints": 16}, "with 17 keypoints; 16 keypoints were wanted"),
        ({"family": "hrnet", "input_hw": (128, 96)}, "for 256x192 .*; input size 128x96 was want"),
        ({}, r"say which it is with --family \(hrnet, dark"),
        ({"family": "mmpose"}, "has official names; family mmpose was given"),
        ({"family": "openpose"}, "no family 'openpose'; there are hrnet, dark"),
    ],
)
def test_a_file_that_is_not_what_was_wanted_says_what_it_is(
    arguments: dict[str, Any], sentence: str, tmp_path: Path, cache: Path
) -> None:
    path = written(tmp_path / "some_256x192.pth", small_state())
    with pytest.raises(WeightsError, match=sentence):
        import_checkpoint(path, **arguments)
    assert not cache.exists()


def test_a_size_that_nobody_says_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "model_best.pth", small_state())
    with pytest.raises(WeightsError, match="--input 128x96"):
        import_checkpoint(path, family="dark")
    assert read_published(path, family="dark", input_hw=(128, 96))[1].input_hw == (128, 96)


def without(name: str) -> Callable[[State], object]:
    return lambda state: {key: tensor for key, tensor in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("bn1.weight"), "bn1.weight is missing"),
        (lambda s: {**s, "fc.bias": s["bn1.bias"]}, "fc.bias is unexpected"),
        (lambda s: {**s, "bn1.bias": torch.zeros(3)}, r"bn1.bias should be \(64,\)"),
        (without("final_layer.weight"), "without a heatmap layer, as trained on Im"),
        (lambda s: small_state("hrnet_w32", 21), "has 21 keypoints; livepose knows"),
        (lambda s: {"a.weight": torch.ones(2)}, "not a pose network that livepose"),
        (lambda s: {"epoch": 3, "loss": 0.1}, "no state dict; .* epoch, loss"),
        (lambda s: {}, "no state dict; .* got nothing"),
        (lambda s: [1, 2], "no state dict; .* got a list"),
        (lambda s: {**s, "bn1.bias": torch.full((64,), float("nan"))}, "undefined"),
        (
            lambda s: {"backbone.x": torch.ones(1), "neck.y": torch.ones(1)},
            "neck.y that is neither backbone nor head",
        ),
    ],
)
def test_a_wrong_state_dict_is_refused_with_a_sentence(
    change: Callable[[State], object], sentence: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "x_128x96.pth", change(small_state()))
    with pytest.raises(WeightsError, match=sentence) as caught:
        import_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_our_own_files_are_not_imported_again(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").touch()
    with pytest.raises(WeightsError, match="safetensors file already"):
        import_checkpoint(tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="there is no weights file"):
        import_checkpoint(tmp_path / "none.pth")


def test_official_state_dicts_are_recognised(shared: Path, tmp_path: Path) -> None:
    published = json.loads((shared / "golden" / "state_dict_shapes.json").read_text())
    for case in ("hrnet_w48_384x288", "resnet152_384x288", "resnet101_128x96"):
        state = {
            name: torch.ones((), dtype=torch.int64 if "num_b" in name else None).expand(shape)
            for name, shape in published[case].items()
        }
        path = written(tmp_path / f"{case}.pth", state)
        _, card = read_published(path, family="hrnet")
        assert isinstance(card, Card)
        assert f"{card.network}_{card.input_hw[0]}x{card.input_hw[1]}" == case
