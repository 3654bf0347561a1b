"""A detector by name or file: found, fetched, opened where it runs."""

import hashlib
import os
import random
import shutil
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from weights.server import Server, serving

from livepose.detection import load, open_detector, openvino_engine
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.load import find_official
from livepose.detection.openvino_engine import OpenVinoEngine
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.runtimes import openvino, select
from livepose.weights.fetching import file_sha256

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)

# People in each image, fewest and most: who is far or half hidden may be found or not.
PEOPLE = {
    "skier.jpg": (1, 1),
    "couple_walking.jpg": (2, 2),
    "three_at_desk.jpg": (3, 3),
    "street_three_walking.jpg": (3, 5),
    "four_at_table.jpg": (4, 5),
    "standing_dim_room.jpg": (1, 1),
    "astronaut_half_body.jpg": (1, 1),
    "doorway_two.jpg": (2, 2),
}


def test_none_is_no_detector_and_says_so(said):
    assert open_detector("none") is None
    assert "whole image" in said[0]


def test_openvino_says_what_torch_says_and_converts_only_once(said, own_file, cache):
    shutil.rmtree(cache / "networks", ignore_errors=True)
    detector = open_detector(own_file, "cpu", score_threshold=0.2)
    assert isinstance(detector.engine, OpenVinoEngine)
    assert any("only this once" in line for line in said)
    assert said[-1] == "detector: random, OpenVINO on the processor"
    in_torch = TorchEngine(load_detector(own_file).model, "cpu")
    for size in ((96, 96), (64, 96)):
        images = np.random.default_rng(1).integers(0, 256, (3, *size, 3), dtype=np.uint8)
        ours, theirs = detector.engine(images), in_torch(images)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours[:, :4], theirs[:, :4], atol=2.0)  # bfloat16 in places
        np.testing.assert_allclose(ours[:, 4:], theirs[:, 4:], atol=0.03)
    said.clear()
    again = open_detector(str(own_file), score_threshold=0.2)
    assert not any("preparing" in line for line in said)
    np.testing.assert_allclose(
        again([IMAGE])[0].boxes_xyxy, detector([IMAGE])[0].boxes_xyxy, atol=1e-3
    )


def test_no_flipped_bit_of_the_cache_changes_who_is_found(own_file, cache):
    expected = open_detector(own_file)([IMAGE])[0]
    chance = random.Random(5)
    for path in sorted((cache / "networks").glob("detector-*/*")):
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(content))
    found = open_detector(own_file)([IMAGE])[0]
    np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)


def test_what_openvino_cannot_take_runs_in_torch(said, own_file, monkeypatch):
    def fail(*_):
        raise RuntimeError("operation not supported\nwith more lines")

    monkeypatch.setattr(openvino_engine, "open_checkpoint", fail)
    detector = open_detector(own_file)
    assert isinstance(detector.engine, TorchEngine)
    assert "operation not supported" in said[0]
    assert said[-1] == "detector: random, torch on cpu"


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_that_sees_wrongly_gives_way_only_where_none_was_asked_for(
    said, own_file, monkeypatch, device
):
    def wrong(*_):
        raise DeviceError("finds other people there")

    monkeypatch.setattr(select, "cuda_devices", lambda: 1)
    monkeypatch.setattr(load, "cuda_devices", lambda: 1)
    monkeypatch.setattr(load, "_open_on_gpu", wrong)
    if device == "cuda":
        with pytest.raises(DeviceError, match="finds other people there"):
            open_detector(own_file, device)
        return
    detector = open_detector(own_file, device)
    assert "not on cuda:0: finds other people there" in said[0]
    assert said[-1] == "detector: random, OpenVINO on the processor"
    assert len(detector([IMAGE])) == 1


def test_a_larger_input_is_compiled_beside_and_used_when_it_is_there(own_file, cache, monkeypatch):
    detector = open_detector(own_file)
    detector([IMAGE])
    compiling, go_on = threading.Event(), threading.Event()
    inner = openvino.core()

    class Slow:
        def compile_model(self, *what):
            compiling.set()
            assert go_on.wait(30)
            return inner.compile_model(*what)

    forget_compiled(detector, cache)
    monkeypatch.setattr(openvino, "core", Slow)
    assert not detector.can_detect_small((120, 90), wait=False)
    assert compiling.wait(30)
    detector([IMAGE])  # what is compiled already runs on meanwhile
    assert not detector.can_detect_small((120, 90), wait=False)
    go_on.set()
    wait_until(lambda: detector.can_detect_small((120, 90), wait=False))
    monkeypatch.setattr(openvino, "core", None)
    detector.detect_small(IMAGE)  # compiles nothing more


def test_a_larger_input_that_cannot_be_compiled_is_done_without(own_file, cache, monkeypatch):
    tried = []

    class Failing:
        def compile_model(self, *what):
            tried.append(what)
            raise RuntimeError("out of memory")

    detector = open_detector(own_file)
    forget_compiled(detector, cache)
    monkeypatch.setattr(openvino, "core", Failing)
    assert not detector.can_detect_small((120, 90), wait=False)
    wait_until(lambda: tried)
    assert not any(detector.can_detect_small((120, 90), wait=False) for _ in range(5))
    assert len(tried) == 1


def forget_compiled(detector, cache):
    """Leaves the detector its graph, and nothing compiled to be found."""
    assert detector.engine._shapes._graph.model
    shutil.rmtree(cache / "networks")


def wait_until(true, patience_s=30.0):
    until_s = time.perf_counter() + patience_s
    while not true():
        assert time.perf_counter() < until_s
        time.sleep(0.01)


def test_a_size_is_taken_as_it_is_named_within_bounds(own_file):
    assert open_detector(own_file).can_detect_small((640, 480), wait=True)
    assert not open_detector(own_file, size_px=96).can_detect_small((640, 480), wait=True)
    with pytest.raises(UsageError, match="expected 1 to 4096 pixels, got 100000"):
        open_detector(own_file, size_px=100_000)


def test_auto_takes_the_official_checkpoint_and_otherwise_the_embedded_one(
    said, own_file, pickled_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(load, "embedded_file", lambda name: own_file)
    assert open_detector("auto").name == "random"
    assert said[-1].startswith("detector: random")
    shutil.copy(pickled_file, tmp_path / "yolo11n.pt")
    monkeypatch.setitem(load._SHA256, "yolo11n", file_sha256(pickled_file))
    assert open_detector("auto").name.startswith("official yolo11n (")
    assert said[-1].startswith("detector: official yolo11n")
    (tmp_path / "yolo11n.pt").write_bytes(b"broken")
    monkeypatch.setitem(load._SHA256, "yolo11n", file_sha256(tmp_path / "yolo11n.pt"))
    assert open_detector("auto").name == "random"
    assert any("the embedded detector is used instead" in line for line in said)
    monkeypatch.setattr(load, "embedded_file", lambda name: None)
    with pytest.raises(WeightsError, match="--detector none"):
        open_detector("auto")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("yolo11s", "not on this machine and could not be fetched"),
        ("hrnet", "there is no detector 'hrnet'"),
        ("missing/file.pt", "there is no detector"),
        ("yolo11n-pose", "there is no detector"),
        ("../yolo11n", "there is no detector"),
        ("x" * 300, "there is no detector"),
    ],
)
def test_what_is_not_there_says_so(name, complaint):
    with pytest.raises(WeightsError, match=complaint):
        open_detector(name)


def test_files_that_are_no_detectors_say_so(tmp_path, shared):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.xml").write_text("<net")
    for path, complaint in (
        (tmp_path / "notes.txt", "does not look like a detector"),
        (tmp_path / "folder", r"holds 0 \.xml files"),
        (tmp_path / "broken.xml", "cannot be read by OpenVINO"),
        (shared / "peers" / "rtmdet_nano_person_320_end2end.onnx", "no detector exported by ultra"),
        (shared / "peers" / "yolov8n-pose_int8_openvino", "holds a pose network"),
    ):
        with pytest.raises(WeightsError, match=complaint):
            open_detector(path)


def test_a_device_that_is_absent_is_an_error_and_never_another_one(own_file):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    for device in ("cuda", "cuda:3"):
        with pytest.raises(DeviceError, match="CUDA was asked for, and torch sees no CUDA GPU"):
            open_detector(own_file, device)
    with pytest.raises(UsageError, match="expected auto, cpu, cuda, cuda:N or mps, got 'tpu'"):
        open_detector(own_file, "tpu")


def test_an_exported_yolo_finds_the_people_in_photographs_on_the_processor(shared):
    path = shared / "peers" / "yolo11n_int8_openvino"
    with pytest.raises(DeviceError, match="processor only"):
        open_detector(path, "cuda")
    detector = open_detector(path, score_threshold=0.4)
    images = [cv2.imread(str(shared / "images" / name)) for name in PEOPLE]
    for (name, (fewest, most)), found in zip(PEOPLE.items(), detector(images), strict=True):
        assert fewest <= len(found) <= most, name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_says_what_the_processor_says(own_file):
    there = open_detector(own_file, "cuda", score_threshold=0.3)
    here = open_detector(own_file, "cpu", score_threshold=0.3)
    assert there.engine.name == "torch on cuda:0"
    assert len(there([IMAGE])[0]) == pytest.approx(len(here([IMAGE])[0]), abs=3)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """The server of the published checkpoints, which has but one; an empty cache."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.delenv("LIVEPOSE_OFFLINE")
    for server in serving():
        monkeypatch.setattr(load, "_RELEASES", server.host)
        monkeypatch.setitem(load._SHA256, "yolo11n", server.sha256)
        monkeypatch.setitem(load._BYTES, "yolo11n", len(server.content))
        yield server


def test_a_checkpoint_in_the_working_folder_is_found_by_its_hash(tmp_path, monkeypatch):
    assert find_official("yolo11n") is None
    (tmp_path / "yolo11n.pt").write_bytes(b"weights")
    assert find_official("yolo11n") is None
    monkeypatch.setitem(load._SHA256, "yolo11n", hashlib.sha256(b"weights").hexdigest())
    assert find_official("yolo11n") == Path("yolo11n.pt")


def test_a_published_checkpoint_is_fetched_verified_and_found_again(said, published: Server):
    with pytest.raises(WeightsError):  # it is no detector, but it came
        open_detector("yolo11n")
    assert said[0].startswith("fetching http://127.0.0.1")
    assert published.paths == ["/v8.3.0/yolo11n.pt"]
    assert find_official("yolo11n").read_bytes() == published.content


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": b"others"}, "not the file that was expected"),
        ({"status": 404}, "404"),
        ({"content": bytes(2_000_000)}, "more than the 1,000,000 bytes"),
    ],
)
def test_what_cannot_be_fetched_as_it_was_published_is_told(said, published, change, reason):
    for name, value in change.items():
        setattr(published, name, value)
    with pytest.raises(WeightsError, match="could not be fetched"):
        open_detector("yolo11n")
    assert reason in said[-1] and find_official("yolo11n") is None


def test_auto_tries_once_a_day_and_holds_a_start_up_for_no_longer_than_said(
    said, published, own_file, monkeypatch, tmp_path
):
    monkeypatch.setattr(load, "embedded_file", lambda name: own_file)
    monkeypatch.setattr(load, "_AUTO_LIMIT_S", 0.2)
    published.hang_s = 1.0
    start_s = time.perf_counter()
    for _ in range(3):
        assert open_detector("auto").name == "random"
    assert len(published.paths) == 1
    tried = tmp_path / "fresh" / "downloads" / "yolo11n.tried"
    os.utime(tried, (time.time() - 90_000,) * 2)
    for offline in (True, False):
        open_detector("auto", offline=offline)
        assert len(published.paths) == (1 if offline else 2)
    assert sum("takes too long" in line or "timed out" in line for line in said) == 2
    assert time.perf_counter() - start_s < 30
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "file"))  # nothing can be remembered
    open_detector("auto")
    assert len(published.paths) == 2
