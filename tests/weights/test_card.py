"""Cards and safetensors files: what is written is read back, and what cannot be is refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.settings import parse_size
from livepose.weights import Card, load_checkpoint, load_network, read_card, save_checkpoint
from livepose.weights.arrays import load_arrays, tensors_sha256, verify
from livepose.weights.card import IMAGENET_MEAN, from_metadata, to_metadata
from livepose.weights.checkpoint import check_state

CARD = Card(
    network="hrnet_w32",
    input_hw=(128, 96),
    alignment="pixel_centre",
    blur_kernel=3,
    sigma=1.5,
    activation="softmax",
    source="a test",
    licence="AGPL-3.0-or-later",
    notes={"steps": "12", "with = sign": "né"},
)


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    torch.manual_seed(0)
    save_checkpoint(path, build_network("hrnet_w32", 17).state_dict(), CARD)
    return path


def test_a_card_survives_its_flat_strings() -> None:
    metadata = to_metadata(CARD)
    assert all(isinstance(value, str) for value in metadata.values())
    assert from_metadata(metadata, "x") == CARD


def test_a_saved_file_is_read_back_strictly_in_float32_and_evaluation_mode(
    network_file: Path,
) -> None:
    state, card = load_checkpoint(network_file)
    assert card == replace(CARD, sha256=tensors_sha256(state)) == read_card(network_file)
    assert state["conv1.weight"].dtype == torch.float16
    assert state["bn1.num_batches_tracked"].dtype == torch.int64
    network, _ = load_network(network_file)
    weight = network.get_parameter("conv1.weight")
    assert not network.training and weight.dtype == torch.float32
    assert torch.equal(weight, state["conv1.weight"].float())


def test_reading_a_card_loads_no_torch(network_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from livepose.weights import read_card; "
        f"read_card(Path({str(network_file)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_float32_is_kept_where_float16_would_overflow(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.tensor([1e6]), "b": torch.ones(2)}, CARD)
    tensors = load_arrays(path, "pt")
    assert tensors["a"].dtype == torch.float32 and tensors["a"].item() == 1e6
    assert tensors["b"].dtype == torch.float16


def test_the_hash_does_not_depend_on_order_but_on_every_bit(tmp_path: Path) -> None:
    first, second = torch.arange(4.0), torch.zeros(2, 2)
    digest = tensors_sha256({"a": first, "b": second})
    assert digest == tensors_sha256({"b": second, "a": first})
    assert digest == tensors_sha256({"a": first.numpy(), "b": second.numpy()})
    for other in (second.reshape(4), second.double(), second + 1e-6):
        assert digest != tensors_sha256({"a": first, "b": other})
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.arange(100.0)}, CARD)
    assert verify(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not verify(path)


def test_nothing_is_left_over_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken.safetensors").mkdir()
    for place in ("file/x.safetensors", "taken.safetensors"):
        with pytest.raises(WeightsError, match="cannot write the weights"):
            save_checkpoint(tmp_path / place, {"a": torch.ones(1)}, CARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.safetensors"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"alignment": "middle"}, "alignment of the weights has to be one of pixel_centre, hrnet"),
        ({"keypoints": 16}, "keypoints of the weights has to be 17 for coco17, got 16"),
        ({"skeleton": "hand21"}, "skeleton: .* one of coco17, mpii16, .*got 'hand21'"),
        ({"blur_kernel": 4}, "blur_kernel .* odd, 1 to 63, got 4"),
        ({"colour": "grey"}, "colour .* rgb or bgr, got 'grey'"),
        ({"activation": "relu"}, "activation .* none or softmax"),
        ({"sigma": 0.0}, "sigma .* above 0"),
        ({"std": (1.0, 0.0, 1.0)}, "std .* positive"),
        ({"input_hw": (16, 96)}, "input_hw .* 32 to 1024"),
    ],
)
def test_a_card_refuses_what_cannot_be(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        replace(CARD, **change)


def test_an_incomplete_or_wrong_card_is_named(tmp_path: Path) -> None:
    metadata = to_metadata(CARD)
    lacking = {name: text for name, text in metadata.items() if name != "sigma"}
    for told, sentence in (
        (lacking, "lacks 'sigma'"),
        ({**metadata, "mean": "1 2"}, "wrong 'mean': expected three numbers, got '1 2'"),
        ({}, "has no card .*weights import FILE"),
    ):
        with pytest.raises(WeightsError, match=sentence):
            from_metadata(told, "x")
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors")
    for name, sentence in (("x", "no card"), ("none", "there is no weights file"), ("", "folder")):
        with pytest.raises(WeightsError, match=sentence):
            load_network(tmp_path / f"{name}.safetensors" if name else tmp_path)


@pytest.mark.parametrize("text", ["128", "x96", "128x", "128x96x3", "-1x96", "ax b", "¹x²"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HEIGHTxWIDTH"):
        parse_size(text)


@pytest.mark.parametrize(
    ("network", "keypoints"), [("hrnet_w48", 17), ("resnet50", 17), ("hrnet_w32", 16)]
)
def test_tensors_of_another_network_than_the_card_says_are_named(
    network: str, keypoints: int, tmp_path: Path
) -> None:
    with torch.device("meta"):
        shapes = build_network(network, keypoints).state_dict()
    sentence = f"is {network} with {keypoints} keypoints; hrnet_w32 with 17 keypoints was wanted"
    with pytest.raises(WeightsError, match=sentence):
        check_state(shapes, build_network("hrnet_w32", 17), "hrnet_w32 with 17 keypoints", "x")
    save_checkpoint(tmp_path / "x.safetensors", {"conv1.weight": torch.ones(2)}, CARD)
    with pytest.raises(WeightsError, match="hrnet_w32 with 17 keypoints was wanted"):
        load_network(tmp_path / "x.safetensors")


def beside(folder: Path, text: str, name: str = "net.onnx") -> Path:
    """A third party's network with this file beside it."""
    path = folder / name
    path.touch()
    path.with_suffix(".toml").write_text(text)
    return path


def test_a_model_config_says_everything_that_a_card_holds(tmp_path: Path) -> None:
    text = """
    input = "256x192"
    skeleton = "mpii16"
    alignment = "hrnet"
    blur_kernel = 11
    sigma = 2
    colour = "bgr"
    mean = [1, 2, 3.5]
    std = [4, 5, 6]
    activation = "softmax"
    source = "somebody"
    licence = "MIT"
    """
    assert read_card(beside(tmp_path, text)) == Card(
        *("onnx", (256, 192), "mpii16", 16, "hrnet", 11, 2.0, "bgr"),
        *((1.0, 2.0, 3.5), (4.0, 5.0, 6.0), "softmax", "somebody", "MIT"),
    )
    card = read_card(beside(tmp_path, 'input = "128x96"', "net.xml"))
    assert (card.network, card.input_hw, card.mean) == ("openvino", (128, 96), IMAGENET_MEAN)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lacks the size"),
        ("input = 128", "HEIGHTxWIDTH, for instance 128x96, got '128'"),
        ('input = "128x96"\nsize = 3', "an entry 'size'; known are input"),
        ('input = "128x96"\nmean = [1, 2]', "wrong 'mean': expected three numbers, got"),
        ('input = "128x96"\nmean = ["a", 2, 3]', "wrong 'mean': expected three numbers, got"),
        ('input = "128x96"\nsigma = true', "wrong 'sigma': expected a number, got 'True'"),
        ('input = "128x96"\nskeleton = "cat"', "skeleton: .* one of coco17"),
        ('input = "128x96"\nalignment = "left"', "alignment .* one of pixel_centre"),
        ("input = ", "not readable TOML"),
    ],
)
def test_a_model_config_that_cannot_be_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=sentence):
        read_card(beside(tmp_path, text))
    (tmp_path / "net.toml").unlink()
    with pytest.raises(WeightsError, match=r"needs a file net\.toml beside it"):
        read_card(tmp_path / "net.onnx")


def test_a_model_config_may_name_a_skeleton_of_ones_own(tmp_path: Path) -> None:
    name = f"three_{tmp_path.name}"
    (tmp_path / "three.toml").write_text(f'name = "{name}"\nkeypoints = ["a", "b", "c"]')
    card = read_card(beside(tmp_path, 'input = "128x96"\nskeleton = "three.toml"'))
    assert (card.skeleton, card.keypoints) == (name, 3)
