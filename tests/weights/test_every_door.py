"""No file runs code and none makes a traceback, through whatever door it comes in."""

import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from livepose.detection.checkpoint import load_detector
from livepose.detection.files import DetectorInfo
from livepose.detection.openvino_engine import converted
from livepose.errors import LiveposeError, WeightsError
from livepose.networks import build_network
from livepose.training.records import CHECKPOINT as NAME
from livepose.training.records import read_checkpoint, read_state
from livepose.weights import Card, import_checkpoint, load_network, read_card, save_checkpoint
from livepose.weights.torch_file import open_torch_file

Door = Callable[[Path], Any]


class Evil:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def resume(path: Path) -> Any:
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_bytes(path.read_bytes())
    return read_checkpoint(folder)


TORCH_DOORS: dict[str, Door] = {
    "weights import": lambda path: import_checkpoint(
        path, family="hrnet", input_hw=(128, 96), output=path.with_suffix(".safetensors")
    ),
    "--detector": load_detector,
    "train --init": read_state,
    "train --resume": resume,
}


@pytest.fixture(params=list(TORCH_DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    return TORCH_DOORS[request.param]


@pytest.mark.parametrize("where", ["model", "ema", "format", "learner", "state_dict"])
def test_no_door_runs_what_a_file_holds(door: Door, where: str, tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.pt", tmp_path / "EXECUTED"
    torch.save({"format": 1, where: Evil(marker)}, path)
    with pytest.raises(WeightsError):
        door(path)
    assert not marker.exists()


def write_text(path: Path) -> None:
    path.write_text('{"format": 1}')


def write_saved_format(path: Path) -> None:
    torch.save({"format": 1}, path)


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_list(path: Path) -> None:
    torch.save([1, 2], path)


def write_deep(path: Path) -> None:
    path.write_bytes(b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".")


def write_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(50_000_000))


def write_stretched(path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1).expand(1_000_000_000)}, path)


@pytest.mark.parametrize(
    "write",
    [
        *(write_text, write_saved_format, write_nothing, write_list, write_deep, write_bomb),
        write_stretched,
    ],
)
def test_what_is_no_checkpoint_is_one_sentence(
    door: Door, write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "odd.pt"
    write(path)
    with pytest.raises(WeightsError) as refused:
        door(path)
    assert refused.value.exit_code == 4
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"input_hw": "999999999x99"}, "32 to 1024 pixels"),
        ({"blur_kernel": "1000001"}, "odd, 1 to 63"),
        ({"sigma": "nan"}, "sigma"),
        ({"mean": "nan 1 1"}, "finite"),
        ({"std": "inf 1 1"}, "finite"),
    ],
)
def test_a_card_is_bounded_before_memory_is_asked_for(
    changes: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    from livepose.weights.card import to_metadata

    path = tmp_path / "odd.safetensors"
    metadata = {**to_metadata(Card("hrnet_w32", (128, 96))), **changes}
    save_file({"a": torch.zeros(1)}, path, metadata=metadata)
    with pytest.raises(WeightsError, match=complaint):
        read_card(path)


@pytest.mark.parametrize("architecture", ["[" * 100_000, '{"nc": 1}', "null", "{"])
def test_an_odd_architecture_is_one_sentence(architecture: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    told = {"architecture": architecture, "classes": "person", "input_px": "320"}
    save_file({"a": torch.zeros(1)}, path, metadata=told)
    for read in (load_detector, converted):
        with pytest.raises(WeightsError):
            read(path)


def test_a_deep_model_config_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    (tmp_path / "a.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(WeightsError, match="not readable TOML"):
        read_card(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("value", "complaint"), [(float("nan"), "infinite or undefined"), (0.0, "are zero")]
)
def test_weights_of_nothing_are_refused(value: float, complaint: str, tmp_path: Path) -> None:
    card = Card("resnet50", (64, 64))
    state = build_network("resnet50", 17).state_dict()
    state = {name: torch.full_like(tensor, value) for name, tensor in state.items() if tensor.dim()}
    path = tmp_path / "nothing.safetensors"
    save_checkpoint(path, state, card)
    with pytest.raises(WeightsError, match=complaint):
        load_network(path)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content with a few bytes changed, cut out or put in."""
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        # Headers are small and tell most: half of what is changed lies there.
        end = min(len(changed), 4096) if chance.random() < 0.5 else len(changed)
        at = chance.randrange(max(1, end))
        match chance.randrange(4):
            case 0:
                del changed[at : at + chance.randrange(1, 64)]
            case 1:
                changed[at:at] = chance.randbytes(chance.randrange(1, 16))
            case 2:
                changed[at : at + 8] = struct.pack(
                    "<Q", chance.choice([0, 2**31, 2**63, 2**64 - 1])
                )
            case _:
                changed[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(changed)


def test_no_damaged_torch_file_makes_a_traceback(tmp_path: Path) -> None:
    path, chance = tmp_path / "odd.pt", random.Random(11)
    torch.save({"state_dict": {"conv1.weight": torch.ones(3, 3)}, "meta": {"a": 1.0}}, path)
    whole = path.read_bytes()
    for _ in range(300):
        path.write_bytes(damaged(whole, chance))
        for read in (open_torch_file, load_detector, read_state):
            try:
                read(path)
            except LiveposeError:
                continue


def test_no_damaged_safetensors_file_makes_a_traceback(tmp_path: Path) -> None:
    from livepose.weights.arrays import load_arrays
    from livepose.weights.card import to_metadata

    path, chance = tmp_path / "odd.safetensors", random.Random(12)
    told = {
        **to_metadata(Card("hrnet_w32", (128, 96))),
        "architecture": json.dumps({"nc": 1, "backbone": [], "head": []}),
        "classes": "person",
        "input_px": "320",
    }
    save_file({"a": torch.from_numpy(np.ones((4, 4), np.float16))}, path, metadata=told)
    whole = path.read_bytes()
    for _ in range(400):
        path.write_bytes(damaged(whole, chance))
        for read in (read_card, load_arrays, load_network, load_detector, converted):
            try:
                read(path)
            except LiveposeError:
                continue


def test_a_detector_card_is_bounded_before_memory_is_asked_for() -> None:
    with pytest.raises(WeightsError, match="32 to 4096, got 100000"):
        DetectorInfo(0, 1, 100_000)
