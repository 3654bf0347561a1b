"""A YOLO11 made of a weights file alone sees what torch sees."""

import json

import cv2
import numpy as np
import pytest

from livepose.detection.checkpoint import load_detector
from livepose.detection.conversion import built
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
    rgb = cv2.resize(image_bgr, size_wh)[None, ..., ::-1].transpose(0, 3, 1, 2)
    pictures = np.ascontiguousarray(rgb, dtype=np.float32) / 255
    model, facts = built(PATH)
    in_f32 = {"INFERENCE_PRECISION_HINT": "f32"}
    found = core().compile_model(model, "CPU", in_f32)(pictures)[0]
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


def test_networks_with_other_layers_are_left_to_torch(tmp_path):
    known = {"backbone": [[-1, 1, "C3k2", [64]]], "head": [[[0], 1, "Detect", ["nc"]]]}
    assert is_known(known)
    assert not is_known({**known, "end2end": True})
    assert not is_known({**known, "backbone": [[-1, 1, "A2C2f", [64]]]})
    with pytest.raises(WeightsError, match="needs torch and ultralytics"):
        built(tmp_path / "yolo11n.pt")
