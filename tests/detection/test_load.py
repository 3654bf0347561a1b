"""A detector by name or file: found, fetched, opened where it runs."""

import os
import shutil
import threading
import time

import cv2
import numpy as np
import pytest
import torch
from weights.server import Server, serving

from livepose.detection import files, load, open_detector, openvino_engine
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.load import detector_file
from livepose.detection.openvino_engine import OpenVinoEngine
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.runtimes import openvino, select
from livepose.weights.fetching import file_sha256

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def test_openvino_says_what_torch_says_and_converts_only_once(said, own_file, cache):
    shutil.rmtree(cache / "networks", ignore_errors=True)
    detector = open_detector(own_file, "cpu", score_threshold=0.2)
    assert isinstance(detector.engine, OpenVinoEngine)
    assert any("only this once" in line for line in said)
    assert said[-1] == "detector: random, OpenVINO on the processor"
    images = np.random.default_rng(1).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    ours, theirs = detector.engine(images), TorchEngine(load_detector(own_file)[0], "cpu")(images)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[:, :4], theirs[:, :4], atol=2.0)  # bfloat16 in places
    np.testing.assert_allclose(ours[:, 4:], theirs[:, 4:], atol=0.03)
    said.clear()
    open_detector(str(own_file), score_threshold=0.2)
    assert not any("preparing" in line for line in said)


def test_what_openvino_cannot_take_runs_in_torch(said, own_file, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.setattr(openvino_engine, "is_known", lambda stored: False)
    assert isinstance(open_detector(own_file).engine, TorchEngine)
    assert "it is no YOLO11" in said[0]
    assert said[-1] == "detector: random, torch on cpu"


def test_a_gpu_that_sees_wrongly_gives_way_only_where_none_was_asked_for(
    said, own_file, monkeypatch
):
    def wrong(*_):
        raise DeviceError("finds other people there")

    monkeypatch.setattr(select, "cuda_devices", lambda: 1)
    monkeypatch.setattr(load, "cuda_devices", lambda: 1)
    monkeypatch.setattr(load, "_open_on_gpu", wrong)
    with pytest.raises(DeviceError, match="finds other people there"):
        open_detector(own_file, "cuda")
    open_detector(own_file, "auto")
    assert "not on cuda:0: finds other people there" in said[0]
    assert said[-1] == "detector: random, OpenVINO on the processor"


def test_without_ultralytics_a_gpu_is_left_and_one_that_is_asked_for_says_what_is_missing(
    said, own_file, monkeypatch
):
    for module in (select, load):
        monkeypatch.setattr(module, "cuda_devices", lambda: 1)
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    open_detector(own_file)
    assert said[-1] == "detector: random, OpenVINO on the processor"
    with pytest.raises(WeightsError, match="needs torch and ultralytics"):
        open_detector(own_file, "cuda")


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

    assert detector.engine.graph.model
    shutil.rmtree(cache / "networks")  # the graph is at hand; nothing compiled is to be found
    monkeypatch.setattr(openvino, "core", Slow)
    assert detector.both_scales(IMAGE, wait=False) is None
    assert compiling.wait(30)
    detector([IMAGE])  # what is compiled already runs on meanwhile
    assert detector.both_scales(IMAGE, wait=False) is None
    go_on.set()
    until_s = time.perf_counter() + 30
    while detector.both_scales(IMAGE, wait=False) is None:
        assert time.perf_counter() < until_s
        time.sleep(0.01)
    monkeypatch.setattr(openvino, "core", None)
    assert detector.both_scales(IMAGE, wait=True)  # compiles nothing more


def test_auto_takes_the_official_checkpoint_and_otherwise_the_embedded_one(
    said, own_file, pickled_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(load, "embedded_file", lambda name: own_file)
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    here = tmp_path / "cache" / "downloads" / "yolo11n.pt"
    here.parent.mkdir(parents=True)
    shutil.copy(pickled_file, here)
    assert open_detector("auto").name == "random"  # the hash is another
    monkeypatch.setitem(load._SHA256, "yolo11n", file_sha256(here))
    assert open_detector("auto").name == open_detector("yolo11n").name == "yolo11n"
    assert said[-1].startswith("detector: yolo11n, ")
    here.unlink()
    monkeypatch.setattr(load, "embedded_file", lambda name: None)
    with pytest.raises(WeightsError, match="--detector none"):
        open_detector("auto")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("yolo11s", "yolo11s.pt of https:.* is not on this machine"),
        ("yolo11n-pose", "there is no detector 'yolo11n-pose'"),
        ("../yolo11n", "there is no detector"),
        ("x" * 300, "there is no detector"),
    ],
    ids=["offline", "pose", "path", "long"],
)
def test_what_is_not_there_says_so(name, complaint):
    with pytest.raises(WeightsError, match=complaint):
        open_detector(name)


def test_files_that_are_no_detectors_say_so(own_file, tmp_path, shared):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.xml").write_text("<net")
    for path, complaint in (
        (tmp_path / "notes.txt", "does not look like a detector"),
        (tmp_path / "folder", "does not look like a detector"),
        (tmp_path / "broken.xml", "cannot be read by OpenVINO"),
        (shared / "peers" / "rtmdet_nano_person_320_end2end.onnx", "no detector exported by ultra"),
        (shared / "peers" / "yolov8n-pose_int8_openvino", "holds a pose network"),
    ):
        with pytest.raises(WeightsError, match=complaint):
            open_detector(path)
    with pytest.raises(UsageError, match="expected 1 to 4096 pixels, got 100000"):
        open_detector(own_file, size_px=100_000)


def test_an_exported_yolo_finds_the_people_in_photographs(shared):
    path = shared / "peers" / "yolo11n_int8_openvino"
    with pytest.raises(DeviceError, match="processor only"):
        open_detector(path, "cuda")
    names = ("skier.jpg", "street_three_walking.jpg", "four_at_table.jpg")
    images = [cv2.imread(str(shared / "images" / name)) for name in names]
    one, street, table = map(len, open_detector(path, score_threshold=0.4)(images))
    assert one == 1 and 3 <= street <= 5 and 4 <= table <= 5  # some are far or half hidden


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_says_what_the_processor_says(own_file):
    there = open_detector(own_file, "cuda", score_threshold=0.3)
    here = open_detector(own_file, "cpu", score_threshold=0.3)
    assert there.engine.name == "torch on cuda:0"
    assert len(there([IMAGE])[0]) == pytest.approx(len(here([IMAGE])[0]), abs=3)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """The server of the published checkpoint; an empty cache."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.delenv("LIVEPOSE_OFFLINE")
    for server in serving():
        monkeypatch.setattr(load, "_RELEASES", server.host)
        monkeypatch.setitem(load._SHA256, "yolo11n", server.sha256)
        monkeypatch.setitem(load._BYTES, "yolo11n", len(server.content))
        yield server


def test_the_published_checkpoint_is_fetched_verified_and_found_again(said, published: Server):
    published.status = 404
    with pytest.raises(WeightsError, match="the server says HTTP Error 404"):
        open_detector("yolo11n")
    published.status = 200
    for _ in range(2):
        path = detector_file("yolo11n", offline=False)
    assert path.read_bytes() == published.content and len(published.paths) == 2
    assert said[0].startswith("fetching http://127.0.0.1")


def test_any_published_detector_is_fetched_by_its_name_and_found_again(published: Server):
    for _ in range(2):
        path = detector_file("yolo26x.pt", offline=False)
    assert path.name == "yolo26x.pt" and published.paths == ["/v8.4.0/yolo26x.pt"]


def test_auto_tries_once_a_day_and_holds_a_start_up_for_no_longer_than_said(
    said, published, own_file, monkeypatch, tmp_path
):
    monkeypatch.setattr(load, "embedded_file", lambda name: own_file)
    monkeypatch.setattr(load, "_AUTO_LIMIT_S", 0.2)
    published.hang_s = 1.0
    for _ in range(2):
        assert open_detector("auto").name == "random"
    assert len(published.paths) == 1
    tried = tmp_path / "fresh" / "downloads" / "yolo11n.tried"
    os.utime(tried, (time.time() - 90_000,) * 2)
    for offline in (True, False):
        open_detector("auto", offline=offline)
        assert len(published.paths) == (1 if offline else 2)
    assert sum("takes longer than" in line or "timed out" in line for line in said) == 2
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "file"))  # nothing can be remembered
    open_detector("auto")
    assert len(published.paths) == 2
