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

from livepose.detection import checkpoint, files, load, open_detector, openvino_engine
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.load import detector_file
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.files import file_sha256
from livepose.runtimes import openvino, select

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def test_openvino_says_what_torch_says_and_converts_only_once(said, own_file, cache):
    shutil.rmtree(cache / "networks", ignore_errors=True)
    for times in (1, 0):
        said.clear()
        detector = open_detector(str(own_file), "cpu", score_threshold=0.2)
        assert sum("only this once" in line for line in said) == times
        assert said[-1] == "detector: random, OpenVINO on the processor"
    images = np.random.default_rng(1).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    ours, theirs = detector.engine(images), TorchEngine(load_detector(own_file)[0], "cpu")(images)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[:, :4], theirs[:, :4], atol=2.0)  # bfloat16 in places
    np.testing.assert_allclose(ours[:, 4:], theirs[:, 4:], atol=0.03)


def test_what_openvino_cannot_take_runs_in_torch_and_says_so_where_that_is_missing(
    said, own_file, monkeypatch, tmp_path
):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.setattr(openvino_engine, "is_known", lambda stored: False)
    assert isinstance(open_detector(own_file).engine, TorchEngine)
    assert "it is no YOLO11" in said[0]
    assert said[-1] == "detector: random, torch on cpu"
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    (tmp_path / "mine.pt").touch()
    for path in (tmp_path / "mine.pt", own_file):
        with pytest.raises(WeightsError, match="needs torch and ultralytics"):
            open_detector(path)


@pytest.fixture
def gpu(monkeypatch):
    for module in (select, load):
        monkeypatch.setattr(module, "cuda_devices", lambda: 1)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("missing", "error", "complaint"),
    [(False, DeviceError, "finds other people"), (True, WeightsError, "needs torch and ultra")],
    ids=["sees wrongly", "without ultralytics"],
)
def test_a_gpu_of_no_use_gives_way_only_where_none_was_asked_for(
    missing, error, complaint, said, own_file, monkeypatch
):
    if missing:
        monkeypatch.setattr(files, "find_spec", lambda name: None)
    monkeypatch.setattr(checkpoint.TorchEngine, "__init__", lambda *_: None)
    monkeypatch.setattr(openvino_engine, "require_same_people", wrong)
    with pytest.raises(error, match=complaint):
        open_detector(own_file, "cuda")
    open_detector(own_file, "auto")
    assert missing or "not on cuda:0: finds other people there" in said[0]
    assert said[-1] == "detector: random, OpenVINO on the processor"


def wrong(*_):
    raise DeviceError("finds other people there")


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
        ("notes.txt", "does not look like a detector"),
        ("folder", "does not look like a detector"),
        ("broken.xml", "cannot be read by OpenVINO"),
        ("SHARED/peers/rtmdet_nano_person_320_end2end.onnx", "no detector exported by ultra"),
        ("SHARED/peers/yolov8n-pose_int8_openvino", "holds a pose network"),
    ],
)
def test_what_is_not_there_or_no_detector_says_so(name, complaint, tmp_path, shared):
    (tmp_path / "folder").mkdir()
    for text in ("notes.txt", "broken.xml"):
        (tmp_path / text).write_text("<net")
    with pytest.raises(WeightsError, match=complaint):
        open_detector(name.replace("SHARED", str(shared)))


def test_a_size_that_no_detector_has_is_a_usage_error(own_file):
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


def test_published_checkpoints_are_fetched_verified_and_found_again(said, published: Server):
    published.status = 404
    with pytest.raises(WeightsError, match="the server says HTTP Error 404"):
        open_detector("yolo11n")
    published.status = 200
    for name in ("yolo11n", "yolo11n", "yolo26x.pt", "yolo26x.pt"):
        path = detector_file(name, offline=False)
        assert path.read_bytes() == published.content
    paths = ["/v8.3.0/yolo11n.pt", "/v8.3.0/yolo11n.pt", "/v8.4.0/yolo26x.pt"]
    assert published.paths == paths and path.name == "yolo26x.pt"
    assert said[0].startswith("fetching http://127.0.0.1")


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
