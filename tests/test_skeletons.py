"""Skeletons by name and by file, all the way to results."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import CARD, FakeDetector, FakeRuntime, scene_image

from livepose.drawing import draw_poses
from livepose.errors import UsageError, WeightsError
from livepose.estimator import PoseEstimator
from livepose.pipeline import PosePipeline
from livepose.skeletons import COCO17, MIDDLING_SIGMA, SHIPPED, SKELETONS
from livepose.weights import Card
from livepose.weights.card import from_metadata, to_metadata

OWN = """
name = "{name}"
keypoints = ["head", "hips", "left_hand", "right_hand", "tip"]
edges = [["head", "hips"], ["right_hand", "tip"]]
pairs = [["left_hand", "right_hand"]]
sigmas = [0.03, 0.1, 0.06, 0.06, 0.03]
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "tennis.toml"
    path.write_text(OWN.format(name=f"tennis_{tmp_path.name}"))
    return path


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_skeleton_holds_together(name):
    skeleton = SKELETONS[name]
    assert len(skeleton.keypoints) == int(name[-3:] if name[-3:].isdigit() else name[-2:])
    order = skeleton.flip_permutation
    assert [order[index] for index in order] == list(range(len(order)))
    for left, right in skeleton.flip_pairs:
        names = skeleton.keypoints[left], skeleton.keypoints[right]
        assert names[0].startswith(("left", "face-")) and names[1].startswith(("right", "face-"))
    if name not in ("coco17", "mpii16"):  # their bodies are COCO's
        assert skeleton.keypoints[:17] == COCO17.keypoints
        assert skeleton.oks_sigmas[:17] == COCO17.oks_sigmas


def test_where_no_sigmas_are_known_they_are_the_mean_of_coco():
    assert np.mean(COCO17.oks_sigmas) == pytest.approx(MIDDLING_SIGMA, abs=0.005)
    assert set(SKELETONS["mpii16"].sigmas_or_middling) == {MIDDLING_SIGMA}
    assert COCO17.sigmas_or_middling == COCO17.oks_sigmas


def test_a_file_says_all_that_a_skeleton_is(own):
    skeleton = SKELETONS[str(own)]
    assert skeleton.limbs == ((0, 1), (3, 4))
    assert skeleton.flip_permutation == (0, 1, 3, 2, 4)
    assert skeleton.oks_sigmas == (0.03, 0.1, 0.06, 0.06, 0.03)
    assert SKELETONS[skeleton.name] is skeleton


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["head", "hips"]', '["haed", "hips"]', "no keypoint 'haed'"),
        ('"hips", "left', '"head", "left', "'head' twice"),
        ("0.1, 0.06", "-0.1, 0.06", "expected 5 sigmas between 0 and 1"),
        ('[["left_hand", "right_hand"]]', '[["tip", "head"], ["tip", "hips"]]', "'tip' in two"),
        ("edges", "limbs", "unknown entry 'limbs'; known are name"),
        ('[["head", "hips"], ', '[["head"], ', "expected two different names"),
        ('name = "', 'name = "coco17"  # ', "calls itself 'coco17', and so does another"),
        pytest.param("=", "=" + "[" * 100_000, "is not TOML", id="deep"),
    ],
)
def test_what_cannot_be_is_said(own, old, new, message):
    own.write_text(own.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match=message):
        SKELETONS[str(own)]


def test_what_is_no_skeleton_is_refused():
    with pytest.raises(UsageError, match=r"of coco17, mpii16, halpe26, coco_whole.*got 'tenis'"):
        SKELETONS["tenis"]
    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read"):
        SKELETONS["nowhere.toml"]


def test_weights_bring_their_own_skeleton_along(own):
    name = SKELETONS[str(own)].name
    card = Card("hrnet_w32", (128, 96), skeleton=name, keypoints=5)
    metadata = to_metadata(card)
    skeleton = SKELETONS.pop(name)  # another process has never seen the file
    assert from_metadata(metadata, "weights") == card
    assert SKELETONS[name] == skeleton
    with pytest.raises(WeightsError, match="wrong 'own_skeleton'"):
        from_metadata({**metadata, "own_skeleton": '{"name": "x"}'}, "weights")
    assert "own_skeleton" not in to_metadata(Card("hrnet_w32", (128, 96)))
    with pytest.raises(WeightsError, match="got 'nobody'"):
        Card("hrnet_w32", (128, 96), skeleton="nobody")


class FivePoints(FakeRuntime):
    """Sees five of the stand-in's points as those of the own skeleton."""

    def __init__(self, skeleton: str) -> None:
        self.card = replace(CARD, skeleton=skeleton, keypoints=5)

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(super().__call__(crops_bgr)[:, [0, 11, 9, 10, 15]])


@pytest.mark.parametrize("sigmas", [True, False], ids=["sigmas", "none"])
def test_people_of_an_own_skeleton_are_followed_drawn_and_written(own, sigmas):
    if not sigmas:
        kept = [line for line in own.read_text().splitlines() if not line.startswith("sigmas")]
        own.write_text("\n".join(kept).replace("tennis", "plain"))
    skeleton = SKELETONS[str(own)]
    pipeline = PosePipeline(networks=(PoseEstimator(FivePoints(skeleton.name)), FakeDetector()))
    for index in range(5):
        poses = pipeline.process(scene_image(100 + index), index / 30)
    assert poses.track_ids.tolist() == [1]
    assert poses.keypoints_xy.shape == (1, 5, 2)
    assert (draw_poses(scene_image(104), poses) != scene_image(104)).any()
    assert set(poses.to_table()["keypoint"]) == set(skeleton.keypoints)
