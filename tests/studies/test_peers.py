"""Other people's networks: tiny ones made here, and the real ones where they lie beside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_sets import SpotRuntime

from livepose.errors import DataError, UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from studies.peers import open_peer
from studies.peers.yolo import FIELDS, people_in

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

ov = pytest.importorskip("openvino", reason="peers run on OpenVINO")


def save(path: Path, inputs: Any, output: Any) -> Path:
    ov.save_model(ov.Model([output], [inputs], "tiny"), path, compress_to_fp16=False)
    return path


def heatmap_model(path: Path, keypoints: int = 17) -> Path:
    """Means over 4 x 4 px and colours, the same for every keypoint."""
    from openvino import opset13 as ops

    inputs = ops.parameter([1, 3, 128, 96], np.float32)
    weights = np.full((keypoints, 3, 4, 4), 1 / 48, np.float32)
    cells = ops.convolution(inputs, weights, [4, 4], [0, 0], [0, 0], [1, 1])
    return save(path, inputs, cells)


def test_a_heatmap_peer_goes_through_the_live_estimator(make_set: MakeSet, tmp_path: Path) -> None:
    peer = open_peer(f"onnx:{heatmap_model(tmp_path / 'tiny.xml')}")
    assert isinstance(peer, PoseEstimator)
    assert peer.runtime.card.input_hw == (128, 96)
    crops = np.random.default_rng(0).integers(0, 255, (3, 128, 96, 3), np.uint8)
    maps = peer.runtime(crops)
    spots = SpotRuntime()(crops)
    assert maps.shape == (3, 17, 32, 24)
    # Means over colours of normalised values: as the plain means, up to a scale.
    assert np.corrcoef(maps[:, 0].ravel(), spots[:, 0].ravel())[0, 1] > 0.99
    assert peer.runtime(crops[:0]).shape == (0, 17, 32, 24)
    one_by_one = [peer.runtime(crops[index : index + 1]) for index in range(3)]
    assert np.allclose(maps, np.concatenate(one_by_one), atol=1e-6)
    assert peer.runtime.cost.params_m == pytest.approx(17 * 48 / 1e6)
    assert peer.runtime.cost.gflops == pytest.approx(17 * 48 * 32 * 24 / 1024**3)


def test_a_card_beside_the_file_is_followed(tmp_path: Path) -> None:
    path = heatmap_model(tmp_path / "tiny.xml")
    path.with_suffix(".toml").write_text('input = "128x96"\nalignment = "udp"\ncolour = "bgr"\n')
    peer = open_peer(f"onnx:{path}")
    assert isinstance(peer, PoseEstimator)
    assert peer.geometry.alignment == "udp"
    assert peer.runtime.card.colour == "bgr"


def yolo_answer() -> np.ndarray:
    """Two overlapping people and one apart, in the raw form (56, N)."""
    answer = np.zeros((FIELDS, 3), np.float32)
    answer[:5, 0] = (100, 100, 40, 80, 0.9)
    answer[:5, 1] = (101, 101, 40, 80, 0.8)
    answer[:5, 2] = (300, 100, 40, 80, 0.3)
    answer[5:] = 7
    return answer


def test_yolo_answers_are_suppressed_and_laid_out() -> None:
    boxes, scores, keypoints = people_in(yolo_answer())
    assert np.allclose(scores, [0.9, 0.3])
    assert np.allclose(boxes[0], [80, 60, 120, 140])
    assert keypoints.shape == (2, 17, 3)
    done = np.concatenate([boxes, scores[:, None], np.zeros((2, 1)), np.full((2, 51), 7)], axis=1)
    again = people_in(done.astype(np.float32))
    assert np.allclose(again[0], boxes)
    assert np.allclose(again[2], 7)
    with pytest.raises(DataError, match="pose"):
        people_in(np.zeros((84, 10), np.float32))


@pytest.mark.parametrize(
    ("spec", "says"),
    [("tinypose", "expected"), ("nothing:file", "tinypose"), ("onnx:gone.onnx", "no file")],
)
def test_a_peer_that_cannot_be_is_refused(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_peer(spec)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("text")
    with pytest.raises(DataError, match="network"):
        open_peer(f"onnx:{path}")
    with pytest.raises(DataError, match="17"):
        open_peer(f"onnx:{heatmap_model(tmp_path / 'five.xml', keypoints=5)}")
    (tmp_path / "export").mkdir()
    with pytest.raises(DataError, match="OpenVINO export"):
        open_peer(f"ultralytics:{tmp_path / 'export'}")


@pytest.fixture
def yolo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """ultralytics, with settings of the test's own and without the network."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return pytest.importorskip("ultralytics").YOLO


def test_a_yolo_checkpoint_is_opened_counted_and_run(yolo: type, tmp_path: Path) -> None:
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
    assert peer.cost.params_m == pytest.approx(2.9, abs=0.1)
    assert peer.cost.gflops == pytest.approx(3.5, abs=0.3)
    found = peer.estimate(np.zeros((120, 160, 3), np.uint8), np.empty((0, 4)), np.empty(0))
    assert found.keypoints_xy.shape[1:] == (17, 2)


def test_what_is_no_yolo_of_poses_is_refused_before_the_work(yolo: type, tmp_path: Path) -> None:
    boxes = yolo("yolo11n.yaml")
    boxes.model.names = {0: "person"}
    boxes.save(tmp_path / "boxes.pt")
    (tmp_path / "text.pt").write_text("text")
    with pytest.raises(DataError, match=r"boxes.pt holds a DetectionModel: expected a PoseModel"):
        open_peer(f"ultralytics:{tmp_path / 'boxes.pt'}")
    with pytest.raises(DataError, match=r"text.pt is not a readable torch checkpoint"):
        open_peer(f"ultralytics:{tmp_path / 'text.pt'}")


@pytest.mark.slow
def test_tinypose_is_as_good_as_it_was_said_to_be(shared: Path) -> None:
    from livepose.evaluation.validation import validate_pose

    peer = open_peer(f"tinypose:{shared / 'peers' / 'tinypose_128x96_fp16.xml'}")
    assert isinstance(peer, PoseEstimator)
    data = shared / "data" / "coco" / "dev"
    figures = validate_pose(peer.runtime, data / "images.zip", data / "annotations.json", 20)
    # 53.4 AP was measured elsewhere on all 350 images; here on the first twenty of them.
    assert 45 < figures["ap"] < 75
    assert figures["oks"] > 0.7


@pytest.mark.slow
def test_a_yolo_export_finds_people_by_itself(shared: Path) -> None:
    peer = open_peer(f"ultralytics:{shared / 'peers' / 'yolov8n-pose_int8_openvino'}")
    assert not isinstance(peer, PoseEstimator)
    data = shared / "data" / "coco" / "dev"
    annotations = load_annotations(data / "annotations.json", 5)
    store = Archive(data / "images.zip")
    first = annotations.images[0]
    assert peer.cost is not None
    assert peer.cost.params_m == pytest.approx(3.3, abs=0.2)
    found = peer.estimate(store.image_bgr(first.file_name), np.empty((0, 4)), np.empty(0))
    truth, labelled = annotations.keypoints()
    near = np.linalg.norm(found.keypoints_xy[0] - truth[0], axis=1)[labelled[0]]
    assert np.median(near) < 20


def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "EXECUTED",)

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(DataError, match="evil"):
        open_peer(f"ultralytics:{tmp_path / 'evil.pt'}")
    assert not (tmp_path / "EXECUTED").exists()
