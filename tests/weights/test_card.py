"""Cards and safetensors files: what is written is read back, and what cannot be is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from weights.conftest import small_state

from livepose.errors import WeightsError
from livepose.weights import Card, read_card
from livepose.weights.arrays import arrays_sha256, load_arrays
from livepose.weights.card import IMAGENET_MEAN, to_metadata
from livepose.weights.checkpoint import load_network, save_checkpoint

CARD = Card(
    *("resnet50", (128, 96)),
    sigma=1.5,
    activation="softmax",
    source="a test",
    notes={"steps": "12", "with = sign": "né"},
)


def test_a_saved_file_is_read_back_in_float16_where_that_does_not_overflow(tmp_path):
    path = tmp_path / "x.safetensors"
    card = save_checkpoint(path, {"a": torch.tensor([1e6]), "b": torch.ones(2)}, CARD)
    state = load_arrays(path)
    assert card == replace(CARD, sha256=arrays_sha256(state)) == read_card(path)
    assert (state["a"].dtype, state["b"].dtype) == (np.float32, np.float16)
    assert state["a"].item() == 1e6


def test_the_hash_does_not_depend_on_order_but_on_every_bit():
    first, second = np.arange(4.0), np.zeros((2, 2), np.float32)
    digest = arrays_sha256({"a": first, "b": second})
    assert digest == arrays_sha256({"b": second, "a": first})
    for other in (second.reshape(4), second.astype(np.float64), second + 1e-6):
        assert digest != arrays_sha256({"a": first, "b": other})


def test_nothing_is_left_over_when_writing_fails(tmp_path):
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(WeightsError, match="cannot write the weights"):
        save_checkpoint(tmp_path / "taken.safetensors", {"a": torch.ones(1)}, CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.safetensors"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"alignment": "middle"}, "alignment of the weights has to be one of pixel_centre, hrnet"),
        ({"skeleton": "hand21"}, "skeleton: .* one of coco17, mpii16, .*got 'hand21'"),
        ({"activation": "relu"}, "activation .* none or softmax"),
        ({"std": (1.0, 0.0, 1.0)}, "std .* positive"),
        ({"mean": (1.0, math.nan, 1.0)}, "finite"),
        ({"input_hw": (999_999_999, 99)}, "32 to 1024 pixels"),
        ({"blur_kernel": 1_000_001}, "odd, 1 to 63"),
        ({"sigma": math.nan}, "sigma"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_card_refuses_what_cannot_be(change, sentence):
    with pytest.raises(WeightsError, match=sentence):
        replace(CARD, **change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sigma": None}, "lacks 'sigma'"),
        ({"mean": "1 2"}, "wrong 'mean': expected three numbers, got '1 2'"),
        ({"format": None}, r"has no card .*weights import FILE"),
    ],
)
def test_an_incomplete_or_wrong_card_is_named(change, sentence, tmp_path):
    told = to_metadata(CARD) | change
    told = {name: text for name, text in told.items() if text is not None}
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors", told)
    with pytest.raises(WeightsError, match=sentence):
        load_network(tmp_path / "x.safetensors")


def test_tensors_of_another_network_than_the_card_says_are_named(tmp_path):
    save_checkpoint(
        tmp_path / "x.safetensors", small_state("resnet50", 16), Card("resnet101", (128, 96))
    )
    sentence = "is resnet50 with 16 keypoints; resnet101 with 17 keypoints was wanted"
    with pytest.raises(WeightsError, match=sentence):
        load_network(tmp_path / "x.safetensors")


def beside(folder, text, name="net.onnx"):
    """A third party's network with this file beside it."""
    path = folder / name
    path.touch()
    if text is not None:
        path.with_suffix(".toml").write_text(text)
    return path


def test_a_model_config_says_everything_that_a_card_holds(tmp_path):
    text = (
        'input = "256x192"\nskeleton = "mpii16"\nalignment = "hrnet"\nblur_kernel = 11\nsigma = 2\n'
        'colour = "bgr"\nmean = [1, 2, 3.5]\nstd = [4, 5, 6]\nactivation = "softmax"\n'
        'source = "somebody"\nlicence = "MIT"'
    )
    assert read_card(beside(tmp_path, text)) == Card(
        *("onnx", (256, 192), "mpii16", 16, "hrnet", 11, 2.0, "bgr"),
        *((1.0, 2.0, 3.5), (4.0, 5.0, 6.0), "softmax", "somebody", "MIT"),
    )
    card = read_card(beside(tmp_path, 'input = "128x96"', "net.xml"))
    assert (card.network, card.input_hw, card.mean) == ("openvino", (128, 96), IMAGENET_MEAN)
    name = f"three_{tmp_path.name}"
    (tmp_path / "three.toml").write_text(f'name = "{name}"\nkeypoints = ["a", "b", "c"]')
    card = read_card(beside(tmp_path, 'input = "128x96"\nskeleton = "three.toml"'))
    assert (card.skeleton, card.keypoints) == (name, 3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lacks the size"),
        ("input = 128", "HEIGHTxWIDTH, for instance 128x96, got '128'"),
        ('input = "128x96"\nsize = 3', "an entry 'size'; known are input"),
        ('input = "128x96"\nsigma = true', "wrong 'sigma': expected a number, got 'True'"),
        ("input = ", "not readable TOML"),
        (None, r"needs a file net\.toml beside it"),
    ],
    ids=["empty", "size", "unknown", "number", "no TOML", "absent"],
)
def test_a_model_config_that_cannot_be_is_named(text, sentence, tmp_path):
    with pytest.raises(WeightsError, match=sentence):
        read_card(beside(tmp_path, text))
