"""The accuracy beside the speed: other people's landmarks as COCO's keypoints."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.accuracy import COCO_LANDMARKS, MediaPipePeer, measure_accuracy, score
from benchmarks.baselines.mediapipe_pose import MediaPipe
from benchmarks.plan import QUICK
from livepose.frame import Frame
from studies.peers import open_peer

IMAGE = np.zeros((100, 200, 3), dtype=np.uint8)
BOX = np.array([[40.0, 20.0, 80.0, 60.0]])


class Pose:
    """Sees landmark i at (i / 33, 0.5) of whatever it is shown, or nobody."""

    def __init__(self) -> None:
        self.somebody, self.shapes = True, []

    def process(self, image_rgb: np.ndarray) -> SimpleNamespace:
        self.shapes.append(image_rgb.shape)
        marks = [SimpleNamespace(x=i / 33, y=0.5, visibility=0.01 * i) for i in range(33)]
        return SimpleNamespace(
            pose_landmarks=SimpleNamespace(landmark=marks) if self.somebody else None
        )


def test_landmarks_come_back_to_the_image_in_cocos_order(monkeypatch):
    pose = Pose()
    mediapipe = SimpleNamespace(pose=SimpleNamespace(Pose=lambda **_: pose))
    monkeypatch.setattr(accuracy, "solutions", lambda: mediapipe)
    found = MediaPipePeer().estimate(IMAGE, BOX, np.ones(1))
    assert pose.shapes == [(60, 60, 3)]  # 40 px and a quarter on each side
    expected_x = 30 + 60 * np.array(COCO_LANDMARKS) / 33 - 0.5
    assert np.allclose(found.keypoints_xy[0, :, 0], expected_x)
    assert np.allclose(found.keypoints_xy[0, :, 1], 10 + 30 - 0.5)
    assert found.keypoint_scores[0, 5] == pytest.approx(0.11)  # COCO's left shoulder
    pose.somebody = False
    found = MediaPipePeer().estimate(IMAGE, BOX, np.ones(1))
    assert np.isnan(found.keypoints_xy).all() and not found.keypoint_scores.any()
    assert MediaPipe(pose).take(Frame(IMAGE, 0.0, 0)) == 0


def test_a_peer_is_scored_on_images_by_the_evaluation(shared):
    folder = shared / "data" / "coco" / "dev"
    peer = open_peer(f"tinypose:{shared / 'peers' / accuracy.TINYPOSE}")
    figures = score(peer, folder, QUICK)
    assert figures["low"] <= figures["ap"] <= figures["high"]
    assert figures["ap"] > 20


def test_without_images_the_part_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_SHARED", str(tmp_path))
    assert measure_accuracy(QUICK)["why"] == "the images are not on this machine"
