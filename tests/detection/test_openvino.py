"""The detector in OpenVINO: made of its tensors it sees what torch sees; INT8 where it is right."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from livepose import boxes
from livepose.detection import open_detector, openvino_engine
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.files import read_stored
from livepose.detection.openvino_engine import converted
from livepose.detection.openvino_graph import detector_graph
from livepose.errors import WeightsError
from livepose.runtimes.activation_ranges import ranges_path, read_ranges
from livepose.runtimes.openvino import core
from livepose.weights.card import read_metadata
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file

SHIPPED = embedded_file(DEFAULT_DETECTOR + SUFFIX)
IN_F32 = {"INFERENCE_PRECISION_HINT": "f32"}

needs_shipped = pytest.mark.skipif(
    SHIPPED is None or not ranges_path(SHIPPED).is_file(),
    reason="the embedded detector or its INT8 ranges are not in this checkout",
)


@needs_shipped
def test_the_graph_sees_the_people_that_torch_sees(shared):
    image_bgr = cv2.imread(str(shared / "images" / "four_at_table.jpg"))
    seen = cv2.resize(image_bgr, (416, 320))[None]
    model, info = converted(SHIPPED)
    found = core().compile_model(model, "CPU", IN_F32)(seen)[0]
    expected = TorchEngine(load_detector(SHIPPED)[0], "cpu")(seen)
    assert (info.person, info.classes) == (0, 1)
    assert found.shape == expected.shape
    assert (expected[0, 4] > 0.25).any()
    np.testing.assert_allclose(found, expected, atol=2e-3)


@needs_shipped
def test_other_tensors_than_the_architecture_has_are_refused():
    stored = read_stored(SHIPPED)
    tensors = dict(stored.tensors)
    fewer = {name: one for name, one in tensors.items() if not name.startswith("model.9.cv2.bn.b")}
    more = {**tensors, "x.y": tensors["model.0.bn.bias"]}
    narrow = {**tensors, "model.0.conv.weight": tensors["model.0.conv.weight"][:, :2]}
    for changed, complaint in (
        (fewer, r"lacks model\.9\.cv2\.bn\.bias"),
        (more, "1 tensors that its network does not have"),
        (narrow, "do not fit its architecture"),
    ):
        with pytest.raises(WeightsError, match=complaint):
            detector_graph(replace(stored, tensors=changed), "x")


def test_a_checkpoint_of_ultralytics_sees_what_torch_sees(pickled_file):
    torch_model, torch_info = load_detector(pickled_file)
    model, info = converted(pickled_file)
    assert info == torch_info
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    found = core().compile_model(model, "CPU", IN_F32)(images)[0]
    np.testing.assert_allclose(found, TorchEngine(torch_model, "cpu")(images), atol=2e-3)


@needs_shipped
def test_int8_is_used_where_it_is_quicker_and_was_seen_once_to_find_the_same_people(
    said, shared, monkeypatch, tmp_path
):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.setattr(openvino_engine, "has_vnni", lambda: True)
    monkeypatch.setattr(openvino_engine, "has_amx", lambda: False)
    with monkeypatch.context() as strict:
        strict.setattr(openvino_engine, "_INT8_SCORE_DIFFERENCE", 0.0)
        plain = open_detector("embedded", "cpu", score_threshold=0.4)
    assert plain.engine.name == "OpenVINO on the processor"
    assert "detector: not int8: the detector on OpenVINO on the processor, int8 sees" in said[-2]
    open_detector("embedded", "cpu")
    monkeypatch.setattr(openvino_engine, "require_same_people", None)
    detector = open_detector("embedded", "cpu", score_threshold=0.4)
    assert said[-1] == f"detector: {DEFAULT_DETECTOR}, OpenVINO on the processor, int8"
    image_bgr = cv2.imread(str(shared / "images" / "four_at_table.jpg"))
    (found,), (expected,) = detector([image_bgr]), plain([image_bgr])
    assert len(found) == len(expected) > 0
    assert boxes.iou(expected.boxes_xyxy, found.boxes_xyxy).max(axis=1).min() > 0.9
    assert not np.array_equal(found.boxes_xyxy, expected.boxes_xyxy)


@needs_shipped
def test_what_is_shipped_was_measured_and_costs_little():
    measured = read_ranges(SHIPPED, read_metadata(SHIPPED)["sha256"]).measured
    assert measured["ap_int8"] >= measured["ap_f32"] - 0.5
    assert measured["ap50_int8"] >= measured["ap50_f32"] - 0.5
