"""Cards and safetensors files: what is written is read back, and nothing hostile gets through."""

import json
import struct
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
from livepose.weights.card import from_metadata, to_metadata
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


def test_a_saved_file_is_read_back_with_its_card(network_file: Path) -> None:
    state, card = load_checkpoint(network_file)
    assert card == replace(CARD, sha256=card.sha256)
    assert card.sha256 == tensors_sha256(state)
    assert state["conv1.weight"].dtype == torch.float16
    assert state["bn1.num_batches_tracked"].dtype == torch.int64
    assert read_card(network_file) == card


def test_a_network_is_loaded_strictly_in_float32_and_evaluation_mode(network_file: Path) -> None:
    network, card = load_network(network_file)
    state, _ = load_checkpoint(network_file)
    assert not network.training
    assert card.keypoints == 17
    weight = network.get_parameter("conv1.weight")
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["conv1.weight"].float())


def test_reading_a_card_loads_no_torch(network_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from livepose.weights import read_card; "
        f"read_card(Path({str(network_file)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_float32_is_kept_where_float16_would_overflow(tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "x.safetensors", {"a": torch.tensor([1e6]), "b": torch.ones(2)}, CARD
    )
    tensors = load_arrays(tmp_path / "x.safetensors", "pt")
    assert tensors["a"].dtype == torch.float32
    assert tensors["a"].item() == 1e6
    assert tensors["b"].dtype == torch.float16


def test_the_hash_does_not_depend_on_order_but_on_every_bit() -> None:
    first, second = torch.arange(4.0), torch.zeros(2, 2)
    digest = tensors_sha256({"a": first, "b": second})
    assert digest == tensors_sha256({"b": second, "a": first})
    assert digest != tensors_sha256({"a": first, "b": second.reshape(4)})
    assert digest != tensors_sha256({"a": first, "b": second.double()})
    assert digest != tensors_sha256({"a": first + 1e-6, "b": second})


def test_verify_notices_a_flipped_bit(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"a": torch.arange(100.0)}, CARD)
    assert verify(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not verify(path)


def test_nothing_is_left_over_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot write the weights"):
        save_checkpoint(tmp_path / "file" / "x.safetensors", {"a": torch.ones(1)}, CARD)
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(WeightsError, match="cannot write the weights"):
        save_checkpoint(tmp_path / "taken.safetensors", {"a": torch.ones(1)}, CARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.safetensors"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"alignment": "middle"}, "alignment of the weights has to be one of pixel_centre, hrnet"),
        ({"keypoints": 16}, "keypoints of the weights has to be 17 for coco17, got 16"),
        ({"skeleton": "hand21"}, "skeleton: .* one of coco17, mpii16, .*got 'hand21'"),
        ({"blur_kernel": 4}, "blur_kernel .* odd, 1 to 63, got 4"),
        ({"colour": "grey"}, "colour .* one of rgb, bgr"),
        ({"activation": "relu"}, "activation .* one of none, softmax"),
        ({"sigma": 0.0}, "sigma .* above 0"),
        ({"std": (1.0, 0.0, 1.0)}, "std .* positive"),
        ({"input_hw": (16, 96)}, "input_hw .* 32 to 1024"),
    ],
)
def test_a_card_refuses_what_cannot_be(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        replace(CARD, **change)


def test_an_incomplete_or_wrong_card_is_named() -> None:
    metadata = to_metadata(CARD)
    with pytest.raises(WeightsError, match="lacks 'sigma'"):
        from_metadata({k: v for k, v in metadata.items() if k != "sigma"}, "x")
    with pytest.raises(WeightsError, match="wrong 'mean'"):
        from_metadata({**metadata, "mean": "1 2"}, "x")
    with pytest.raises(WeightsError, match="weights import FILE"):
        from_metadata({}, "x")


@pytest.mark.parametrize("text", ["128", "x96", "128x", "128x96x3", "-1x96", "ax b", "¹x²"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HEIGHTxWIDTH"):
        parse_size(text)


def hostile_files(folder: Path, good: bytes) -> dict[str, Path]:
    contents = {
        "empty": b"",
        "garbage": bytes(range(256)) * 8,
        "huge_header": struct.pack("<Q", 2**62) + b"{}" + bytes(100),
        "long_header": struct.pack("<Q", 90_000_000) + b"{",
        "not_json": struct.pack("<Q", 4) + b"nope",
        "cut_in_header": good[:200],
        "cut_in_tensors": good[:-1000],
        "beyond_the_end": (lambda h: struct.pack("<Q", len(h)) + h)(
            json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
        ),
        "pickle": b"\x80\x02}q\x00.",
    }
    paths = {}
    for name, content in contents.items():
        paths[name] = folder / f"{name}.safetensors"
        paths[name].write_bytes(content)
    return paths


def test_hostile_and_damaged_files_end_in_one_sentence(tmp_path: Path, network_file: Path) -> None:
    for name, path in hostile_files(tmp_path, network_file.read_bytes()).items():
        with pytest.raises(WeightsError) as caught:
            load_network(path)
        sentence = str(caught.value)
        assert path.name in sentence, name
        assert "\n" not in sentence, name
        assert "damaged or cut short" in sentence, name
        assert caught.value.exit_code == 4


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no weights file"):
        load_network(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="is a folder"):
        load_network(tmp_path)


def test_a_safetensors_file_without_a_card_is_not_taken_for_pose_weights(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="has no card"):
        load_network(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("network", "keypoints", "sentence"),
    [
        ("hrnet_w48", 17, "is hrnet_w48 with 17 keypoints; hrnet_w32 with 17 keypoints was wanted"),
        ("resnet50", 17, "is resnet50 with 17 keypoints; hrnet_w32 with 17 keypoints was wanted"),
        ("hrnet_w32", 16, "is hrnet_w32 with 16 keypoints; hrnet_w32 with 17 keypoints was wanted"),
    ],
)
def test_tensors_of_another_network_than_the_card_says_are_named(
    network: str, keypoints: int, sentence: str
) -> None:
    with torch.device("meta"):
        shapes = build_network(network, keypoints).state_dict()
    with pytest.raises(WeightsError, match=sentence):
        check_state(shapes, build_network("hrnet_w32", 17), "hrnet_w32 with 17 keypoints", "x")


def test_tensors_that_the_card_does_not_promise_are_refused_on_loading(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "x.safetensors", {"conv1.weight": torch.ones(2)}, CARD)
    with pytest.raises(WeightsError, match="hrnet_w32 with 17 keypoints was wanted"):
        load_network(tmp_path / "x.safetensors")
