"""The detector in INT8: taken where it is quicker and right, and only for its own weights."""

import json
import shutil

import cv2
import numpy as np
import pytest

from livepose import boxes
from livepose.detection import open_detector, openvino_engine
from livepose.runtimes.int8 import convolutions
from livepose.runtimes.ranges import Ranges, ranges_path, read_ranges, write_ranges
from livepose.weights.card import read_metadata
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file

SHIPPED = embedded_file(DEFAULT_DETECTOR + SUFFIX)
IN_INT8 = "OpenVINO on the processor, int8"

needs_shipped = pytest.mark.skipif(
    SHIPPED is None or not ranges_path(SHIPPED).is_file(),
    reason="the embedded detector has no INT8 ranges in this checkout",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(openvino_engine, "gains_by_int8", lambda: True)


@pytest.fixture
def with_ranges(tmp_path):
    """A copy of the embedded detector, with ranges beside it that hold nothing that comes."""
    path = shutil.copy(SHIPPED, tmp_path / "person.safetensors")
    model, _ = openvino_engine.converted(path)
    limits = dict.fromkeys(list(convolutions(model))[1:], (0.0, 1e-3))
    write_ranges(ranges_path(path), Ranges(read_metadata(path)["sha256"], limits))
    return path


@needs_shipped
def test_people_in_photographs_are_those_of_the_usual_precision(said, shared, monkeypatch):
    images = [
        cv2.imread(str(shared / "images" / name))
        for name in ("four_at_table.jpg", "couple_walking.jpg", "skier.jpg")
    ]
    found = open_detector("embedded", "cpu", score_threshold=0.4)(images)
    assert said[-1] == f"detector: {DEFAULT_DETECTOR}, {IN_INT8}"
    monkeypatch.setattr(openvino_engine, "gains_by_int8", lambda: False)
    expected = open_detector("embedded", "cpu", score_threshold=0.4)(images)
    assert said[-1] == f"detector: {DEFAULT_DETECTOR}, OpenVINO on the processor"
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) == len(theirs) > 0
        overlaps = boxes.iou(theirs.boxes_xyxy, ours.boxes_xyxy)
        assert overlaps.max(axis=1).min() > 0.9
        assert not np.array_equal(ours.boxes_xyxy, theirs.boxes_xyxy)


@needs_shipped
def test_what_is_shipped_was_measured_and_costs_little():
    ranges = read_ranges(SHIPPED, read_metadata(SHIPPED)["sha256"])
    assert ranges.measured["ap_int8"] >= ranges.measured["ap_f32"] - 0.5
    assert ranges.measured["ap50_int8"] >= ranges.measured["ap50_f32"] - 0.5


@needs_shipped
def test_one_that_sees_otherwise_is_said_and_not_used(said, with_ranges):
    assert open_detector(with_ranges).engine.name == "OpenVINO on the processor"
    assert any(
        line.startswith(f"detector: not int8: the detector on {IN_INT8} sees other people")
        for line in said
    )


@needs_shipped
def test_ranges_of_other_weights_are_said_and_not_used(said, with_ranges):
    path = ranges_path(with_ranges)
    path.write_text(json.dumps({**json.loads(path.read_text()), "weights_sha256": "1" * 64}))
    assert open_detector(with_ranges).engine.name == "OpenVINO on the processor"
    assert any("not int8: person.int8.json was made for other weights" in line for line in said)


@needs_shipped
def test_a_processor_that_gains_nothing_is_left_alone(said, with_ranges, monkeypatch):
    monkeypatch.setattr(openvino_engine, "gains_by_int8", lambda: False)
    assert open_detector(with_ranges).engine.name == "OpenVINO on the processor"
    assert not any("int8" in line for line in said)


@needs_shipped
def test_it_is_checked_once(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    open_detector("embedded", "cpu")
    monkeypatch.setattr(openvino_engine, "require_same_predictions", None)
    assert open_detector("embedded", "cpu").engine.name == IN_INT8
