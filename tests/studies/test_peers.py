"""Other people's networks: tiny ones made here, and a real one where it lies beside."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_sets import SpotRuntime

from livepose.errors import DataError, LiveposeError, UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from studies.peers import open_peer
from studies.peers.yolo import FIELDS, people_in

ov = pytest.importorskip("openvino", reason="peers run on OpenVINO")
NOBODY = (np.empty((0, 4)), np.empty(0))


def heatmap_model(path: Path, keypoints: int = 17) -> Path:
    """Means over 4 x 4 px and colours, the same for every keypoint."""
    from openvino import opset13 as ops

    inputs = ops.parameter([1, 3, 128, 96], np.float32)
    weights = np.full((keypoints, 3, 4, 4), 1 / 48, np.float32)
    cells = ops.convolution(inputs, weights, [4, 4], [0, 0], [0, 0], [1, 1])
    ov.save_model(ov.Model([cells], [inputs], "tiny"), path, compress_to_fp16=False)
    return path


def test_a_heatmap_peer_goes_through_the_live_estimator(tmp_path):
    path = heatmap_model(tmp_path / "tiny.xml")
    peer = open_peer(f"onnx:{path}")
    assert isinstance(peer, PoseEstimator)
    assert peer.runtime.card.input_hw == (128, 96)
    crops = np.random.default_rng(0).integers(0, 255, (3, 128, 96, 3), np.uint8)
    maps, spots = peer.runtime(crops), SpotRuntime()(crops)
    assert maps.shape == (3, 17, 32, 24)
    # Means over colours of normalised values: as the plain means, up to a scale.
    assert np.corrcoef(maps[:, 0].ravel(), spots[:, 0].ravel())[0, 1] > 0.99
    assert peer.runtime(crops[:0]).shape == (0, 17, 32, 24)
    assert peer.runtime.cost.params_m == pytest.approx(17 * 48 / 1e6)
    assert peer.runtime.cost.gflops == pytest.approx(17 * 48 * 32 * 24 / 1024**3)
    path.with_suffix(".toml").write_text('input = "128x96"\nalignment = "udp"\ncolour = "bgr"\n')
    peer = open_peer(f"onnx:{path}")  # follows the card that lies beside the file now
    assert (peer.geometry.alignment, peer.runtime.card.colour) == ("udp", "bgr")


def test_yolo_answers_are_suppressed_and_laid_out():
    answer = np.zeros((FIELDS, 3), np.float32)  # the raw form: two overlapping people, one apart
    people = [(100, 100, 40, 80, 0.9), (101, 101, 40, 80, 0.8), (300, 100, 40, 80, 0.3)]
    answer[:5] = np.array(people).T
    answer[5:] = 7
    boxes, scores, keypoints = people_in(answer)
    assert np.allclose(scores, [0.9, 0.3])
    assert np.allclose(boxes[0], [80, 60, 120, 140])
    assert keypoints.shape == (2, 17, 3)
    done = np.concatenate([boxes, scores[:, None], np.zeros((2, 1)), np.full((2, 51), 7)], axis=1)
    again = people_in(done.astype(np.float32))
    assert np.allclose(again[0], boxes)
    assert np.allclose(again[2], 7)
    with pytest.raises(DataError, match="pose"):
        people_in(np.zeros((84, 10), np.float32))


@pytest.fixture
def yolo(tmp_path, monkeypatch):
    """ultralytics, with settings of the test's own and without the network."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return pytest.importorskip("ultralytics").YOLO


def test_what_is_no_peer_is_refused_and_runs_nothing(yolo, tmp_path):
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "EXECUTED",)

    for name in ("text.pt", "text.onnx"):
        (tmp_path / name).write_text("text")
    heatmap_model(tmp_path / "five.xml", keypoints=5)
    (tmp_path / "export").mkdir()
    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    boxes = yolo("yolo11n.yaml")
    boxes.model.names = {0: "person"}
    boxes.save(tmp_path / "boxes.pt")
    for spec, error, says in (
        ("tinypose", UsageError, "expected"),
        ("nothing:file", UsageError, "tinypose"),
        ("onnx:gone.onnx", UsageError, "no file"),
        ("onnx:text.onnx", DataError, "network"),
        ("onnx:five.xml", DataError, "17"),
        ("ultralytics:export", DataError, "OpenVINO export"),
        ("ultralytics:text.pt", DataError, "text.pt is not a readable torch checkpoint"),
        ("ultralytics:boxes.pt", DataError, "holds a DetectionModel: expected a PoseModel"),
        ("ultralytics:evil.pt", DataError, "evil"),
    ):
        with pytest.raises(LiveposeError, match=says) as caught:
            open_peer(spec)
        assert isinstance(caught.value, error)
    assert not (tmp_path / "EXECUTED").exists()


def test_a_yolo_checkpoint_is_opened_counted_and_run(yolo, tmp_path):
    torch.manual_seed(0)
    from ultralytics.nn.tasks import PoseModel

    made = yolo("yolo11n-pose.yaml")
    made.model = PoseModel("yolo11n-pose.yaml", nc=1, verbose=False)  # as the official ones
    made.model.task, made.model.names = "pose", {0: "person"}
    made.save(tmp_path / "random.pt")
    peer = open_peer(f"ultralytics:{tmp_path / 'random.pt'}")
    assert not isinstance(peer, PoseEstimator)
    assert (peer.name, peer.own_boxes, peer.input_hw) == ("random", True, (640, 640))
    assert peer.cost is not None
    assert tuple(peer.cost) == (pytest.approx(2.9, abs=0.1), pytest.approx(3.5, abs=0.3))
    found = peer.estimate(np.zeros((120, 160, 3), np.uint8), *NOBODY)
    assert found.keypoints_xy.shape[1:] == (17, 2)


@pytest.mark.slow
def test_a_yolo_export_finds_people_by_itself(shared):
    peer = open_peer(f"ultralytics:{shared / 'peers' / 'yolov8n-pose_int8_openvino'}")
    assert not isinstance(peer, PoseEstimator)
    data = shared / "data" / "coco" / "dev"
    annotations = load_annotations(data / "annotations.json", 1)
    assert peer.cost is not None
    assert peer.cost.params_m == pytest.approx(3.3, abs=0.2)
    with Archive(data / "images.zip") as archive:
        image = archive.image_bgr(annotations.images[0].file_name)
    truth, labelled = annotations.keypoints()
    apart = np.linalg.norm(peer.estimate(image, *NOBODY).keypoints_xy[0] - truth[0], axis=1)
    assert np.median(apart[labelled[0]]) < 20
