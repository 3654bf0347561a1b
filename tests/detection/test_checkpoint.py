"""Detectors in torch: what a file holds is read, built and written, and nothing in it is run."""

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from detection.conftest import METADATA
from safetensors import safe_open
from safetensors.torch import save_file

from livepose.detection.checkpoint import load_detector, read_pickled, save_detector
from livepose.detection.files import DetectorInfo
from livepose.errors import WeightsError

IMAGE = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (1, 3, 64, 64))).float()


def answer(model):
    with torch.no_grad():
        raw = model(IMAGE)
    return (raw[0] if isinstance(raw, tuple) else raw).numpy()


def test_a_file_answers_as_the_model_in_it(random_model, own_file, pickled_file, tmp_path):
    for path, input_px in ((own_file, 96), (pickled_file, None)):
        model, info = load_detector(path)
        np.testing.assert_allclose(answer(model), answer(random_model), atol=2e-3)
        assert info == DetectorInfo(0, 1, input_px)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert own_file.stat().st_size < 6e6  # in half precision
    averaged = tmp_path / "ema.pt"
    torch.save({"model": torch.nn.Identity(), "ema": random_model}, averaged)
    assert read_pickled(averaged).kind == "DetectionModel"


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(
    random_model, monkeypatch, tmp_path
):
    def full(*_):
        raise OSError("No space left on device")

    path = tmp_path / "x.safetensors"
    path.write_bytes(b"the old one")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WeightsError, match=r"cannot write the weights to .*No space left"):
        save_detector(path, random_model, METADATA)
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"the old one"


class EvilBuilder:
    """Would have ultralytics itself evaluate a string."""

    def __reduce__(self):
        from ultralytics.nn.tasks import DetectionModel

        architecture = {"nc": 1, "activation": "open('owned', 'w')", "backbone": [], "head": []}
        return DetectionModel, (architecture,)


def test_files_that_hold_no_detector_of_persons_say_what_they_hold_and_run_nothing(
    random_model, own_file, tmp_path
):
    with safe_open(own_file, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in list(file.keys())[:-5]}
        save_file(tensors, tmp_path / "unfit.safetensors", {**file.metadata(), "sha256": ""})
    save_file(tensors, tmp_path / "pose.safetensors", {"network": "hrnet_w32"})
    save_detector(tmp_path / "cats.safetensors", random_model, {**METADATA, "classes": "cat"})
    torch.save({"model": EvilBuilder()}, tmp_path / "builds-itself.pt")
    torch.save({"model": {"layer.weight": torch.zeros(3)}}, tmp_path / "tensors.pt")
    for name, complaint in (
        ("unfit.safetensors", "do not fit the architecture"),
        ("pose.safetensors", "goes to --weights"),
        ("cats.safetensors", "does not detect persons; it knows cat"),
        ("builds-itself.pt", "holds no model as ultralytics 8 pickles it"),
        ("tensors.pt", "holds no ultralytics model"),
        ("gone.safetensors", "no weights file"),
        ("gone.pt", "no weights file"),
    ):
        with pytest.raises(WeightsError, match=complaint):
            load_detector(tmp_path / name)
    assert not (tmp_path / "owned").exists()
    with pytest.raises(WeightsError, match="32 to 4096, got 100000"):
        DetectorInfo(0, 1, 100_000)


CODE = "__import__('os').system('touch owned')"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"activation": CODE}, "no detector of YOLO has"),
        ({"head": [[-1, 1, "TorchVision", [512, "resnet18", "DEFAULT"]]]}, "TorchVision"),
        ({"head": [[-1, 1, "nn.Module.register_forward_hook", []]]}, "no detector of YOLO"),
        ({"head": [[-1, 1, "Conv", [64]]]}, "a detection head was expected"),
        ({"head": [[-1, 1_000_000, "Detect", ["nc"]]]}, "larger than any detector's"),
        ({"scales": {"n": [1e6, 0.25, 1024]}}, "larger than any detector's"),
        ({"width_multiple": 1e6}, "larger than any detector's"),
        ({"reg_max": 1e9}, "larger than any detector's"),
        ({"nc": "many"}, "not one of ultralytics|metadata lack or garble"),
        ({"backbone": [[0, 1, "Conv", [16, 3, 2]]]}, "do not fit the architecture"),
        ({"backbone": [[-1, 1, "Conv", [".c", 3, 2]]]}, "do not fit the architecture"),
        ({"backbone": [[-1, 1, "Conv", [16, CODE]]]}, "do not fit the architecture"),
    ],
    ids=[
        *("code", "download", "method", "pose", "large", "deep", "wide", "bins", "words"),
        *("modulo by zero", "no syntax", "a call"),
    ],
)
def test_an_architecture_that_is_odd_is_refused(random_model, change, complaint, tmp_path):
    model = copy.deepcopy(random_model)
    model.yaml |= change
    save_detector(tmp_path / "x.safetensors", model, METADATA)
    with pytest.raises(WeightsError, match=complaint):
        load_detector(tmp_path / "x.safetensors")
    assert not (tmp_path / "owned").exists()


SCRIPT = """
import os, socket, sys
import cv2, numpy, torch

def forbidden(*args, **kwargs):
    raise SystemExit(f"asked the network for {args}")

socket.getaddrinfo = socket.socket.connect = forbidden
before = dict(os.environ), cv2.getNumThreads(), torch.save, numpy.get_printoptions()
from livepose.detection import open_detector
from livepose.detection.checkpoint import ultralytics
ultralytics().DetectionModel
after = dict(os.environ), cv2.getNumThreads(), torch.save, numpy.get_printoptions()
assert before == after, "the process was changed"
heavy = {"torchvision", "ultralytics.engine.predictor", "ultralytics.engine.model"}
assert not heavy & set(sys.modules)
"""


def test_ultralytics_comes_silently_offline_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "own"))
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.rglob("Ultralytics"))
