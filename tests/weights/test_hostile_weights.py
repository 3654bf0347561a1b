"""Weights made wrong on purpose: mutated cards, pickled objects and their sidecars."""

import json
import random
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile import ODD, damaged, mutated
from safetensors.torch import save_file

from livepose.detection.checkpoint import load_detector
from livepose.detection.openvino_engine import converted
from livepose.errors import LiveposeError
from livepose.runtimes.ranges import read_ranges
from livepose.training.records import CHECKPOINT as NAME
from livepose.training.records import read_checkpoint, read_state
from livepose.weights import Card, import_checkpoint, load_network, read_card
from livepose.weights.calibration import read_calibrations
from livepose.weights.card import to_metadata

ARCHITECTURE = {
    "nc": 1,
    "backbone": [[-1, 1, "Conv", [16, 3, 2]]],
    "head": [[[-1], 1, "Detect", ["nc"]]],
}
SKELETON = {
    "name": "two",
    "keypoints": ["a", "b"],
    "edges": [["a", "b"]],
    "pairs": [["a", "b"]],
    "sigmas": [0.1, 0.1],
}
DEEP = ("[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "[" * 900 + "]" * 900)
"""More than a parser bears, and so much that only what comes after the parser breaks."""


def read(reader: Callable[[Path], Any], path: Path) -> None:
    """Reads a file, or hears in one sentence why not; anything else is an error of the test."""
    try:
        reader(path)
    except LiveposeError as error:
        assert str(error)
        assert "\n" not in str(error)


def _values(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else []


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_no_mutated_card_makes_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    whole = {
        **to_metadata(Card("hrnet_w32", (128, 96))),
        "own_skeleton": json.dumps(SKELETON),
        "architecture": json.dumps(ARCHITECTURE),
        "classes": "person",
        "input_px": "320",
        "note.small_people_px": "20",
    }
    for seed in range(200):
        chance, told = random.Random(seed), dict(whole)
        structured = [json.dumps(mutated(one, seed)) for one in (SKELETON, ARCHITECTURE)]
        odd = (*map(str, ODD), *structured, *DEEP, "9" * 5000, "nan nan nan", "١٢٨x٩٦", "a.toml")
        for _ in range(chance.randint(1, 3)):
            name = chance.choice(list(told))
            told[name] = chance.choice(odd)
            if chance.random() < 0.1:
                del told[name]
        save_file({"a": torch.zeros(2, 2)}, path, metadata=told)
        for reader in (read_card, load_network, load_detector, converted):
            read(reader, path)


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> type:
    """The name under which ultralytics pickles a detector."""
    module = types.ModuleType("ultralytics.nn.tasks")
    kind = type("DetectionModel", (), {"__module__": module.__name__})
    module.DetectionModel = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return kind


def detector(kind: type) -> dict[str, Any]:
    inner, outer = kind(), kind()
    inner.__dict__ = {"_parameters": {"weight": torch.ones(1)}, "_buffers": {}, "_modules": {}}
    outer.__dict__ = {
        "yaml": ARCHITECTURE,
        "names": {0: "person"},
        "_parameters": {},
        "_buffers": {"anchors": torch.ones(1)},
        "_non_persistent_buffers_set": [],
        "_modules": {"model": inner},
    }
    return {"model": outer, "ema": None}


def test_no_mutated_detector_makes_a_traceback(
    pickled: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, written = tmp_path / "odd.pt", []
    for seed in range(120):
        content, chance = detector(pickled), random.Random(seed)
        outer = content["model"]
        odd = [*ODD, outer, nested(3000), torch.ones(1), {1: outer}, {"a": outer}]
        for _ in range(chance.randint(1, 2)):
            state = chance.choice([outer, *_values(outer.__dict__.get("_modules"))])
            holder = state.__dict__ if isinstance(state, pickled) else outer.__dict__
            holder[chance.choice(list(holder))] = chance.choice(odd)
        if chance.random() < 0.3:
            outer.__dict__["yaml"] = mutated(ARCHITECTURE, seed)
        try:
            torch.save(content, path)
        except RecursionError:  # Python's own writer does not nest so deeply
            continue
        written.append(path.read_bytes())
    monkeypatch.undo()
    assert len(written) > 80
    for one in written:
        path.write_bytes(one)
        read(load_detector, path)


def test_a_detector_that_holds_itself_is_one_sentence(
    pickled: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = detector(pickled)
    content["model"].__dict__["_modules"]["again"] = content["model"]
    torch.save(content, tmp_path / "odd.pt")
    monkeypatch.undo()
    with pytest.raises(LiveposeError):
        load_detector(tmp_path / "odd.pt")


def resume(path: Path) -> Any:
    path.rename(path.with_name(NAME))
    return read_checkpoint(path.parent)


def imported(path: Path) -> Any:
    return import_checkpoint(path, output=path.with_suffix(".safetensors"))


def test_no_mutated_state_makes_a_traceback(tmp_path: Path) -> None:
    tensors = {
        "stage4.0.branches.0.0.conv1.weight": torch.ones(32, 1, 1, 1),
        "final_layer.weight": torch.ones(17, 32, 1, 1),
        "backbone.a": torch.ones(1),
    }
    whole: dict[str, Any] = {
        **{"format": 2, "state_dict": tensors, "ema": tensors, "meta": {"cfg": "input_size=[1,2]"}},
        **{"learner": {"ema": tensors}, "step": 1, "elapsed_s": 1.0, "recent_losses": [0.1]},
        **{"last_phase": "", "rng": {}},
    }
    torch_odd = (torch.ones(()), torch.ones(1, dtype=torch.complex64), torch.ones(1, 0), nested(50))
    path = tmp_path / "odd_128x96_dark.pth"
    for seed in range(200):
        content, chance = mutated(whole, seed), random.Random(seed)
        for place in (content, content.get("state_dict")):
            if isinstance(place, dict) and place and chance.random() < 0.5:
                place[chance.choice([*place, 7, None])] = chance.choice(torch_odd)
        if chance.random() < 0.3:
            content.pop("format", None)
        for reader in (imported, read_state, resume):
            torch.save(content, path)
            read(reader, path)


SIDECARS: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "the ranges of INT8": (
        "a.int8.json",
        lambda path: read_ranges(path.with_name("a.safetensors"), "1" * 64),
        json.dumps({"format": "livepose-int8-1", "weights": "a", "ranges": {"x": [0, 1]}}),
    ),
    "a calibration": (
        "calibration.toml",
        read_calibrations,
        '["a"]\nintercept = [0.1, 0.2]\nshape = 1.0\nheight = -0.5\nflat = 0.0\n',
    ),
    "the card beside ONNX": (
        "a.toml",
        lambda path: read_card(path.with_suffix(".onnx")),
        'input = "128x96"\nskeleton = "coco17"\nsigma = 1.0\nmean = [1, 2, 3]\nblur_kernel = 3\n',
    ),
}


@pytest.mark.parametrize("what", SIDECARS)
def test_no_damaged_sidecar_makes_a_traceback(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, reader, text = SIDECARS[what]
    path = tmp_path / name
    (tmp_path / "a.onnx").touch()
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    whole = text.encode()
    odd = [b"a = " + deep.encode() for deep in DEEP] + [deep.encode() for deep in DEEP]
    for content in (*odd, *(damaged(whole, seed) for seed in range(100))):
        path.write_bytes(content)
        read(reader, path)
