"""Checkpoints of four projects, in every form they are published in, become the same weights."""

from typing import Any

import numpy as np
import pytest
import torch
from weights.conftest import small_state, written

from livepose.errors import WeightsError
from livepose.weights import importing
from livepose.weights.arrays import arrays_sha256, load_arrays
from livepose.weights.checkpoint import load_network
from livepose.weights.importing import import_checkpoint


@pytest.fixture
def read(monkeypatch):
    """Imports, but writes nothing: the state that would be written, and its card."""
    kept: list[dict[str, Any]] = []

    def keep(target, state, card):
        kept.append(state)
        return card

    def imported(path, family=None):
        monkeypatch.setattr(importing, "save_checkpoint", keep)
        _, card = import_checkpoint(path, family=family)
        return kept[-1], card

    return imported


def bare(state):
    return state


def prefixed(state):
    return {f"module.{name}": tensor for name, tensor in state.items()}


def training_checkpoint(state):
    return {
        "epoch": 210,
        "model": "pose_hrnet",
        "state_dict": {f"module.{name}": torch.zeros(1) for name in state},  # not the best ones
        "best_state_dict": state,
        "perf": np.float64(0.75),
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
    }


def without(part):
    return lambda state: {name: one for name, one in state.items() if part not in name}


def mmpose(head, **meta):
    def wrap(state):
        heads = ("final_layer.", "deconv_layers.")
        renamed = {
            (f"{head}.{name}" if name.startswith(heads) else f"backbone.{name}"): tensor
            for name, tensor in state.items()
        }
        renamed["data_preprocessor.mean"] = torch.zeros(3, 1, 1)
        return {"meta": {"epoch": 210, **meta}, "state_dict": renamed}

    return wrap


@pytest.mark.parametrize(
    ("wrap", "family"),
    [
        *((form, "hrnet") for form in (bare, prefixed, training_checkpoint)),
        (mmpose("keypoint_head", mmpose_version="0.7.0", config="model = dict()"), "mmpose"),
        (mmpose("head", dataset_meta={"sigmas": np.array([0.026]), "name": "coco"}), "mmpose"),
    ],
)
def test_every_published_form_gives_the_official_names(wrap, family, read, tmp_path):
    state = small_state()
    got, card = read(written(tmp_path / "some_256x192.pth", wrap(state)), family)
    assert (card.network, card.keypoints, card.input_hw) == ("resnet50", 17, (256, 192))
    assert {name: one.shape for name, one in got.items()} == {
        name: one.shape for name, one in state.items()
    }


def test_what_was_imported_loads_as_a_network(tmp_path, cache):
    state = without("num_batches_tracked")(small_state())  # as in old files
    target, card = import_checkpoint(written(tmp_path / "pose_256x192.pth", state), family="dark")
    assert target == cache / "weights" / "pose_256x192.safetensors"
    network, stored_card = load_network(target)
    assert card == stored_card and card.network == "resnet50"
    arrays = load_arrays(target)
    assert card.sha256 == arrays_sha256(arrays) and arrays["conv1.weight"].dtype == np.float16
    weight = network.get_parameter("conv1.weight")
    assert weight.unique().item() == 0.5
    assert weight.dtype == torch.float32 and not network.training
    assert network.get_buffer("bn1.num_batches_tracked").item() == 0


@pytest.mark.parametrize(
    ("filename", "network", "keypoints", "wrap", "expected"),
    [
        ("pose_hrnet_w32_256x192.pth", "hrnet_w32", 17, bare, ("hrnet", 11, 2, "rgb")),
        ("pose_resnet_50_384x288.pth", "resnet50", 16, bare, ("hrnet", 11, 3, "bgr")),
        ("w32_128x96.pth", "hrnet_w32", 17, bare, ("dark", 3, 1, "rgb")),
        ("x_256x192.pth", "resnet50", 17, mmpose("head"), ("hrnet", 11, 2, "rgb")),
        ("x_udp_256x192.pth", "resnet50", 17, mmpose("head"), ("udp", 11, 2, "rgb")),
        (
            *("epoch_210.pth", "resnet50", 17),
            mmpose("head", cfg="codec = dict(type='UDPHeatmap', input_size=(192, 256), sigma=2)"),
            ("udp", 11, 2, "rgb"),
        ),
    ],
)
def test_the_conventions_of_each_family_are_kept(
    filename, network, keypoints, wrap, expected, read, tmp_path
):
    _, card = read(written(tmp_path / filename, wrap(small_state(network, keypoints))))
    assert (card.alignment, card.blur_kernel, card.sigma, card.colour) == expected
    assert card.skeleton == {17: "coco17", 16: "mpii16"}[keypoints]


@pytest.mark.parametrize(
    ("name", "told", "sentence"),
    [
        ("some_256x192", {}, r"say which it is with --family \(hrnet, dark"),
        ("some_256x192", {"family": "mmpose"}, "has official names; family mmpose was given"),
        ("model_best", {"family": "dark"}, "--input 128x96"),
        (
            "some_256x192",
            {"network": "hrnet_w32"},
            "is resnet50 with 17 .* for 256x192; network hrnet_w32 wanted",
        ),
        ("some_256x192", {"keypoints": 16}, "with 17 keypoints for 256x192; 16 keypoints wanted"),
        ("some_256x192", {"input_hw": (128, 96)}, "for 256x192; input size 128x96 wanted"),
    ],
    ids=["family", "another family", "size", "network", "keypoints", "another size"],
)
def test_what_a_file_does_not_tell_is_asked_for_and_what_it_is_not_refused(
    name, told, sentence, tmp_path, cache
):
    path = written(tmp_path / f"{name}.pth", small_state())
    with pytest.raises(WeightsError, match=sentence) as caught:
        import_checkpoint(path, **told)
    assert caught.value.exit_code == 4 and not cache.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without("bn1.weight"), "bn1.weight is missing"),
        (lambda s: {**s, "bn1.bias": torch.zeros(3)}, r"bn1.bias should be \(64,\)"),
        (without("final_layer.weight"), "without a heatmap layer, as trained on Im"),
        (lambda s: small_state("resnet50", 21), "has 21 keypoints; livepose knows"),
        (lambda s: {"a.weight": torch.ones(2)}, "not a pose network that livepose"),
        (lambda s: {**s, "bn1.bias": torch.full((64,), float("nan"))}, "undefined"),
    ],
)
def test_a_wrong_state_dict_is_refused_with_a_sentence(change, sentence, tmp_path):
    path = written(tmp_path / "x_128x96.pth", change(small_state()))
    with pytest.raises(WeightsError, match=rf"^[^\n]*{sentence}[^\n]*$"):
        import_checkpoint(path)
