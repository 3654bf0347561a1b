"""Detectors in torch: what a file holds is read, built and written, and nothing in it is run."""

import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from livepose.detection.checkpoint import (
    check_architecture,
    load_detector,
    read_pickled,
    save_detector,
)
from livepose.detection.files import DetectorInfo, person_class
from livepose.errors import WeightsError

METADATA = {"classes": "person", "input_px": "96", "source": "random numbers"}
PICTURE = torch.from_numpy(np.random.default_rng(0).uniform(0, 1, (1, 3, 64, 64))).float()


def answer(model):
    with torch.no_grad():
        raw = model(PICTURE)
    return (raw[0] if isinstance(raw, tuple) else raw).numpy()


def test_a_saved_detector_answers_as_before(random_model, own_file):
    loaded = load_detector(own_file)
    np.testing.assert_allclose(answer(loaded.model), answer(random_model), atol=2e-3)
    assert loaded.info == DetectorInfo(0, 1, 96)


def test_a_detector_saved_in_half_precision_is_loaded_in_single(random_model, tmp_path):
    path = tmp_path / "half.safetensors"
    save_detector(path, random_model, METADATA)
    assert path.stat().st_size < 6e6
    model = load_detector(path).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_saving_without_saying_whence_is_refused(random_model, tmp_path):
    with pytest.raises(ValueError, match="input_px, source"):
        save_detector(tmp_path / "x.safetensors", random_model, {"classes": "person"})


def test_a_pickled_checkpoint_answers_as_the_model_in_it(random_model, pickled_file):
    loaded = load_detector(pickled_file)
    np.testing.assert_allclose(answer(loaded.model), answer(random_model), atol=2e-3)
    assert loaded.info == DetectorInfo(0, 1, None)


def test_a_pickled_checkpoint_is_read_into_shells_and_runs_nothing(random_model, pickled_file):
    stored = read_pickled(pickled_file)
    assert stored.kind == "DetectionModel"
    wanted = random_model.state_dict()
    assert set(stored.tensors) == set(wanted)
    assert all(torch.equal(stored.tensors[name], wanted[name]) for name in wanted)


def test_the_averaged_model_is_preferred(random_model, tmp_path):
    path = tmp_path / "ema.pt"
    torch.save({"model": torch.nn.Identity(), "ema": random_model}, path)
    assert read_pickled(path).kind == "DetectionModel"


class Evil:
    def __reduce__(self):
        return os.system, ("touch owned",)


class EvilBuilder:
    """Would have ultralytics itself evaluate a string."""

    def __reduce__(self):
        from ultralytics.nn.tasks import DetectionModel

        architecture = {"nc": 1, "activation": "open('owned', 'w')", "backbone": [], "head": []}
        return DetectionModel, (architecture,)


def test_a_checkpoint_that_would_run_something_is_not_opened(tmp_path):
    path = tmp_path / "evil.pt"
    torch.save({"model": Evil()}, path)
    with pytest.raises(WeightsError, match=r"wants to run (posix|nt|os)\.system"):
        load_detector(path)
    assert not (tmp_path / "owned").exists()


def test_a_checkpoint_cannot_call_ultralytics_either(tmp_path):
    path = tmp_path / "evil.pt"
    torch.save({"model": EvilBuilder()}, path)
    with pytest.raises(WeightsError, match="holds no model as ultralytics 8 pickles it"):
        load_detector(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"no pickle at all", pickle.dumps({"a": 1}), b"PK\5\6"])
def test_what_is_no_checkpoint_says_so(content, tmp_path):
    path = tmp_path / "odd.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not a readable torch checkpoint"):
        load_detector(path)


def test_tensors_alone_are_not_enough(tmp_path):
    path = tmp_path / "state.pt"
    torch.save({"model": {"layer.weight": torch.zeros(3)}}, path)
    with pytest.raises(WeightsError, match="holds no ultralytics model"):
        load_detector(path)


def test_a_missing_file_says_so(tmp_path):
    for name in ("gone.pt", "gone.safetensors"):
        with pytest.raises(WeightsError, match=r"no weights file|cannot be read"):
            load_detector(tmp_path / name)


def test_a_pose_network_is_no_detector(tmp_path):
    path = tmp_path / "pose.safetensors"
    save_file({"conv1.weight": torch.zeros(2)}, path, metadata={"network": "hrnet_w32"})
    with pytest.raises(WeightsError, match="goes to --weights"):
        load_detector(path)


def test_a_detector_that_knows_no_persons_says_what_it_knows(random_model, tmp_path):
    path = tmp_path / "cats.safetensors"
    save_detector(path, random_model, {**METADATA, "classes": "cat"})
    with pytest.raises(WeightsError, match="does not detect persons; it knows cat"):
        load_detector(path)
    assert person_class({0: "cat", 7: "person"}, path) == 7


def test_tensors_that_do_not_fit_say_so(random_model, own_file, tmp_path):
    from safetensors import safe_open

    path = tmp_path / "unfit.safetensors"
    with safe_open(own_file, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in list(file.keys())[:-5]}
        save_file(tensors, path, metadata={**file.metadata(), "sha256": ""})
    with pytest.raises(WeightsError, match="do not fit the architecture"):
        load_detector(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"activation": "__import__('os').system('touch owned')"}, "not safe to build"),
        ({"activation": "nn.ReLU(open('owned', 'w'))"}, "not safe to build"),
        ({"head": [[-1, 1, "TorchVision", [512, "resnet18", "DEFAULT"]]]}, "TorchVision"),
        ({"head": [[-1, 1, "torch_safe_load", ["x"]]]}, "torch_safe_load"),
        ({"head": [[-1, 1, "nn.Module.register_forward_hook", []]]}, "not safe to build"),
        ({"head": [[-1, 1, "Pose", ["nc", [17, 3]]]]}, "a detection head was expected"),
        ({"head": None}, "not one of ultralytics"),
        ({"nc": "many"}, "not one of ultralytics"),
    ],
)
def test_an_architecture_that_is_odd_is_refused(random_model, change, complaint, tmp_path):
    architecture = {**json.loads(json.dumps(random_model.yaml)), **change}
    with pytest.raises(WeightsError, match=complaint):
        check_architecture(architecture, tmp_path / "x.pt")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("activation", ["nn.ReLU()", "torch.nn.LeakyReLU(negative_slope=0.1)"])
def test_usual_activations_are_allowed(random_model, activation, tmp_path):
    check_architecture({**random_model.yaml, "activation": activation}, tmp_path / "x.pt")
