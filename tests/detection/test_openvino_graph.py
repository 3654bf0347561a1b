"""A YOLO11 made of a weights file alone sees what torch sees."""

import json

import cv2
import numpy as np
import pytest

from livepose.detection import openvino_engine, stored
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.files import StoredDetector
from livepose.detection.openvino_engine import converted
from livepose.detection.openvino_graph import detector_graph, is_known
from livepose.errors import WeightsError
from livepose.runtimes.openvino import core
from livepose.weights.arrays import load_arrays
from livepose.weights.card import read_metadata
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file

PATH = embedded_file(DEFAULT_DETECTOR + SUFFIX)


@pytest.mark.skipif(PATH is None, reason="the embedded detector is not in this checkout")
@pytest.mark.parametrize("size_wh", [(416, 320), (192, 256)])
def test_the_graph_sees_the_people_that_torch_sees(size_wh, shared):
    import torch

    image_bgr = cv2.imread(str(shared / "images" / "four_at_table.jpg"))
    seen = cv2.resize(image_bgr, size_wh)[None]
    rgb = np.ascontiguousarray(seen[..., ::-1].transpose(0, 3, 1, 2))
    pictures = rgb.astype(np.float32) / 255
    model, facts = converted(PATH)
    in_f32 = {"INFERENCE_PRECISION_HINT": "f32"}
    found = core().compile_model(model, "CPU", in_f32)(seen)[0]
    with torch.inference_mode():
        expected = load_detector(PATH).model(torch.from_numpy(pictures))[0].numpy()
    assert (facts.person, facts.classes) == (0, 1)
    assert found.shape == expected.shape
    assert (expected[0, 4] > 0.25).any()
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.skipif(PATH is None, reason="the embedded detector is not in this checkout")
def test_other_tensors_than_the_architecture_has_are_refused():
    architecture = json.loads(read_metadata(PATH)["architecture"])
    tensors = load_arrays(PATH)
    fewer = {name: one for name, one in tensors.items() if not name.startswith("model.9.cv2.bn.b")}
    with pytest.raises(WeightsError, match=r"lacks model\.9\.cv2\.bn\.bias"):
        detector_graph(architecture, fewer, "fewer")
    with pytest.raises(WeightsError, match="1 tensors that its network does not have"):
        detector_graph(architecture, {**tensors, "x.y": tensors["model.0.bn.bias"]}, "more")
    narrow = {**tensors, "model.0.conv.weight": tensors["model.0.conv.weight"][:, :2]}
    with pytest.raises(WeightsError, match="do not fit its architecture"):
        detector_graph(architecture, narrow, "narrow")


def test_a_checkpoint_of_ultralytics_is_made_of_its_tensors_too(pickled_file, monkeypatch):
    expected = load_detector(pickled_file)
    monkeypatch.setattr("livepose.detection.checkpoint.load_detector", None)
    model, info = converted(pickled_file)
    assert info == expected.info
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    found = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pictures)[0]
    np.testing.assert_allclose(found, TorchEngine(expected.model, "cpu")(pictures), atol=2e-3)


def test_networks_with_other_layers_are_left_to_torch(tmp_path, own_file, monkeypatch):
    known = {"nc": 1, "backbone": [[-1, 1, "C3k2", [64]]], "head": [[[0], 1, "Detect", ["nc"]]]}

    def is_made(architecture, kind="DetectionModel"):
        return is_known(StoredDetector(kind, {}, architecture, {}))

    assert is_made(known)
    assert not is_made(known, "PoseModel")
    for odd in ({"end2end": True}, {"backbone": [[-1, 1, "A2C2f", [64]]]}, {"head": [[]]}):
        assert not is_made({**known, **odd})
    monkeypatch.setattr(stored, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="needs torch and ultralytics"):
        converted(tmp_path / "yolo11n.pt")
    monkeypatch.setattr(openvino_engine, "is_known", lambda one: False)
    with pytest.raises(WeightsError, match="needs torch and ultralytics"):
        converted(own_file)
