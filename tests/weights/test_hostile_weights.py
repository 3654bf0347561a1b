"""No file runs code and none makes a traceback, through whatever door it comes in."""

import contextlib
import json
import os
import random
import struct
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile import ODD, damaged, mutated
from safetensors.torch import save_file

from livepose.detection.checkpoint import load_detector
from livepose.detection.openvino_engine import converted
from livepose.errors import LiveposeError, WeightsError
from livepose.runtimes.activation_ranges import read_ranges
from livepose.training.records import CHECKPOINT, read_checkpoint, read_state
from livepose.weights import Card, read_card
from livepose.weights.arrays import load_arrays
from livepose.weights.calibration import read_calibrations
from livepose.weights.card import to_metadata
from livepose.weights.checkpoint import load_network, save_checkpoint
from livepose.weights.importing import import_checkpoint

Door = Callable[[Path], Any]

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
CARD = {
    **to_metadata(Card("hrnet_w32", (128, 96))),
    "own_skeleton": json.dumps(SKELETON),
    "architecture": json.dumps(ARCHITECTURE),
    "classes": "person",
    "input_px": "320",
    "note.hours": "20",
}
DEEP = ("[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "[" * 900 + "]" * 900)
"""More than a parser bears, and so much that only what comes after the parser breaks."""


def imported(path):
    output = path.with_suffix(".safetensors")
    return import_checkpoint(path, family="hrnet", input_hw=(128, 96), output=output)


def resume(path):
    (path.parent / "run").mkdir(exist_ok=True)
    (path.parent / "run" / CHECKPOINT).write_bytes(path.read_bytes())
    return read_checkpoint(path.parent / "run")


def built(path):
    """By OpenVINO, where it is a YOLO11."""
    with contextlib.suppress(RuntimeError):
        converted(path)


TORCH_DOORS: dict[str, Door] = {
    "weights import": imported,
    "--detector": load_detector,
    "train --init": read_state,
    "train --resume": resume,
}
OWN_DOORS: tuple[Door, ...] = (read_card, load_arrays, load_network, load_detector, built)


def through(doors, path):
    """Reads a file, or hears in one sentence why not; anything else is an error of the test."""
    for door in doors:
        try:
            door(path)
        except LiveposeError as error:
            assert str(error) and "\n" not in str(error)


class Evil:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("door", TORCH_DOORS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
def test_no_door_runs_what_a_file_holds(door, zipped, tmp_path):
    path, marker = tmp_path / "evil.pt", tmp_path / "EXECUTED"
    for where in ("model", "train_step", "state_dict"):
        content = {"format": 1, where: Evil(marker)}
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(WeightsError, match=r"run code|wants to run|not a readable torch"):
            TORCH_DOORS[door](path)
        assert not marker.exists()


def write_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(50_000_000))


ODD_FILES: dict[str, Callable[[Path], Any]] = {
    "text": lambda path: path.write_text('{"format": 1}'),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 4),
    "deep": lambda path: path.write_bytes(b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b"."),
    "bomb": write_bomb,
    "saved format": lambda path: torch.save({"format": 1}, path),
    "stretched": lambda path: torch.save({"a": torch.zeros(1).expand(1_000_000_000)}, path),
}


@pytest.mark.parametrize("content", ODD_FILES)
def test_what_is_no_checkpoint_is_one_sentence(content, tmp_path):
    path = tmp_path / "odd.pt"
    ODD_FILES[content](path)
    for door in TORCH_DOORS.values():
        with pytest.raises(WeightsError) as refused:
            door(path)
        assert refused.value.exit_code == 4
        assert path.name in str(refused.value) or CHECKPOINT in str(refused.value)
        assert "\n" not in str(refused.value)


def test_what_is_no_safetensors_file_is_one_sentence(tmp_path):
    path = tmp_path / "odd.safetensors"
    save_file({"a": torch.ones(1000)}, path, metadata=CARD)
    good = path.read_bytes()
    beyond = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
    for content in (
        *(b"", bytes(range(256)) * 8, b"\x80\x02}q\x00.", good[:-100]),
        struct.pack("<Q", 2**62) + b"{}" + bytes(100),
        struct.pack("<Q", 90_000_000) + b"{",
        struct.pack("<Q", 4) + b"nope",
        struct.pack("<Q", len(beyond)) + beyond,
    ):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"odd\.safetensors.*damaged or cut short") as caught:
            load_network(path)
        assert "\n" not in str(caught.value)


def test_weights_of_nothing_are_refused(tmp_path):
    path = tmp_path / "nothing.safetensors"
    for value, complaint in ((float("nan"), "infinite or undefined"), (0.0, "are zero")):
        save_checkpoint(path, {"a": torch.full((2, 2), value)}, Card("resnet50", (64, 64)))
        with pytest.raises(WeightsError, match=complaint):
            load_network(path)


def test_no_damaged_file_makes_a_traceback(tmp_path):
    zipped, plain, own = (tmp_path / name for name in ("a.pt", "b.pt", "c.safetensors"))
    content = {"state_dict": {"conv1.weight": torch.ones(3, 3)}, "meta": {"a": 1.0}}
    torch.save(content, zipped)
    torch.save(content, plain, _use_new_zipfile_serialization=False)
    save_file({"a": torch.from_numpy(np.ones((4, 4), np.float16))}, own, metadata=CARD)
    for path, doors, count in (
        (zipped, TORCH_DOORS.values(), 40),
        (plain, TORCH_DOORS.values(), 40),
        (own, OWN_DOORS, 100),
    ):
        whole = path.read_bytes()
        for seed in range(count):
            path.write_bytes(damaged(whole, seed))
            through(doors, path)


def test_no_mutated_card_makes_a_traceback(tmp_path):
    path = tmp_path / "odd.safetensors"
    for seed in range(100):
        chance, told = random.Random(seed), dict(CARD)
        structured = [json.dumps(mutated(one, seed)) for one in (SKELETON, ARCHITECTURE)]
        odd = (*map(str, ODD), *structured, *DEEP, "9" * 5000, "nan nan nan", "١٢٨x٩٦", "a.toml")
        for _ in range(chance.randint(1, 3)):
            name = chance.choice(list(told))
            told[name] = chance.choice(odd)
            if chance.random() < 0.1:
                del told[name]
        save_file({"a": torch.zeros(2, 2)}, path, metadata=told)
        through(OWN_DOORS, path)


def nested(depth):
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


DetectionModel = type("DetectionModel", (), {"__module__": "ultralytics.nn.tasks"})
"""Pickled under the name of ultralytics' own."""


def detector_with(state):
    model = DetectionModel()
    usual = {"_parameters": {"weight": torch.ones(1)}, "_buffers": {}, "_modules": {}}
    vars(model).update(usual | state)
    return model


def test_no_mutated_detector_makes_a_traceback(monkeypatch, tmp_path):
    module: Any = types.ModuleType("ultralytics.nn.tasks")
    module.DetectionModel = DetectionModel
    monkeypatch.setitem(sys.modules, module.__name__, module)
    path, written = tmp_path / "odd.pt", []
    for seed in range(60):
        chance, buffers = random.Random(seed), {"anchors": torch.ones(1)}
        told = {"yaml": ARCHITECTURE, "names": {0: "person"}, "_non_persistent_buffers_set": []}
        told |= {"_modules": {"model": detector_with({})}, "_buffers": buffers}
        outer = detector_with(mutated(told, seed) if seed else told)
        parts = vars(outer).get("_modules")
        inner = parts.get("model") if isinstance(parts, dict) else None
        models = [vars(one) for one in (outer, inner) if isinstance(one, DetectionModel)]
        odd = (outer, nested(3000), torch.ones(1), {1: outer}, {"a": outer}, *ODD)
        for holder in chance.sample(models, chance.randint(0, len(models))):
            holder[chance.choice(list(holder))] = chance.choice(odd)
        if not seed:
            told["_modules"]["itself"] = outer
        with contextlib.suppress(RecursionError):  # Python's own writer does not nest so deeply
            torch.save({"model": outer, "ema": None}, path)
            written.append(path.read_bytes())
    monkeypatch.undo()
    assert len(written) > 40
    for one in written:
        path.write_bytes(one)
        through([load_detector], path)


def test_no_mutated_state_makes_a_traceback(tmp_path):
    tensors = {
        "stage4.0.branches.0.0.conv1.weight": torch.ones(32, 1, 1, 1),
        "final_layer.weight": torch.ones(17, 32, 1, 1),
        "backbone.a": torch.ones(1),
    }
    whole: dict[str, Any] = {
        **{"format": 2, "state_dict": tensors, "ema": tensors, "meta": {"cfg": "input_size=[1,2]"}},
        **{"train_step": {"ema": tensors}, "step": 1, "elapsed_s": 1.0, "recent_losses": [0.1]},
        **{"last_phase": "", "rng": {}},
    }
    torch_odd = (torch.ones(()), torch.ones(1, dtype=torch.complex64), torch.ones(1, 0), nested(50))
    path = tmp_path / "odd_128x96_dark.pth"
    for seed in range(100):
        content, chance = mutated(whole, seed), random.Random(seed)
        for place in (content, content.get("state_dict")):
            if isinstance(place, dict) and place and chance.random() < 0.5:
                place[chance.choice([*place, 7, None])] = chance.choice(torch_odd)
        if chance.random() < 0.3:
            content.pop("format", None)
        torch.save(content, path)
        through([lambda path: import_checkpoint(path), read_state, resume], path)


SIDECARS: dict[str, tuple[Door, str]] = {
    "a.int8.json": (
        lambda path: read_ranges(path.with_name("a.safetensors"), "1" * 64),
        json.dumps({"format": "livepose-int8-1", "weights": "a", "ranges": {"x": [0, 1]}}),
    ),
    "calibration.toml": (
        read_calibrations,
        '["a"]\nintercept = [0.1, 0.2]\nshape = 1.0\nheight = -0.5\nflat = 0.0\n',
    ),
    "a.toml": (
        lambda path: read_card(path.with_suffix(".onnx")),
        'input = "128x96"\nskeleton = "coco17"\nsigma = 1.0\nmean = [1, 2, 3]\nblur_kernel = 3\n',
    ),
}


@pytest.mark.parametrize("name", SIDECARS)
def test_no_damaged_file_beside_weights_makes_a_traceback(name, tmp_path):
    reader, text = SIDECARS[name]
    (tmp_path / "a.onnx").touch()
    odd = [start + deep.encode() for deep in DEEP for start in (b"a = ", b"")]
    for content in (*odd, *(damaged(text.encode(), seed) for seed in range(50))):
        (tmp_path / name).write_bytes(content)
        through([reader], tmp_path / name)
