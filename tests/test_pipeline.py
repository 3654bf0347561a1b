"""The way of a frame, with stand-ins for the two networks."""

import threading
import time

import numpy as np
import pytest
from fakes import STANDING_XY, FakeRuntime, FarSightedDetector, scene_image, walking

from livepose.estimator import PoseEstimator
from livepose.poses import KeypointState


def expected_xy(left):
    """Where the stand-in's person, whose box begins there, lies by the convention's words."""
    crop_width = 120 * 96 / 128 * 1.25
    centre = np.array([(2 * left + 60 - 1) / 2, (60 + 180 - 1) / 2])
    return centre + (4 * STANDING_XY + 1.5 - np.array([47.5, 63.5])) * crop_width / 96


def off_px(frame, poses):
    """How far the keypoints of somebody who walks are from where they are."""
    return np.abs(poses.keypoints_xy[0] - expected_xy(60 + 2 * frame.index)).max()


def test_a_still_image_gives_keypoints_in_its_own_pixels(make_pipeline):
    poses = make_pipeline().process(scene_image(100))
    assert poses.keypoints_xy.shape == (1, 17, 2)
    # The stand-in sees the rectangle's edges to a pixel of the crop.
    np.testing.assert_allclose(poses.keypoints_xy[0], expected_xy(100), atol=1.0)
    assert poses.track_ids.tolist() == [1]


def test_who_is_there_after_a_cut_is_found_at_once_and_somebody_else(make_pipeline):
    pipeline = make_pipeline()
    for index in range(60):  # long enough for the detector to rest
        poses = pipeline.process(scene_image(100), index / 30)
    assert poses.track_ids.tolist() == [1]
    other_shot = scene_image(200)
    other_shot[:, :170] = 130
    poses = pipeline.process(other_shot, 2.0)
    assert poses.track_ids.tolist() == [2]
    np.testing.assert_allclose(poses.keypoints_xy[0], expected_xy(200), atol=1.5)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((10, 10), "u1"), ((10, 10, 3), "f4"), ((0, 10, 3), "u1")]
)
def test_what_is_no_colour_image_is_refused_with_its_shape(make_pipeline, shape, dtype):
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(H, W, 3\), got"):
        make_pipeline().process(np.zeros(shape, dtype))


def test_the_detector_rests_between_detections_and_the_skeleton_stays_on(make_pipeline):
    pipeline = make_pipeline(detect_every=10, smooth="none")
    # Between detections the box follows the keypoints of the frame before: 2 px a frame.
    assert max(off_px(*pair) for pair in pipeline.run(walking(40))) < 8
    assert pipeline.detector.calls <= 6


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_budget_for_few_people_warms_up_and_leaves_nobody_behind(make_pipeline, most):
    pipeline = make_pipeline(max_people=most, target_fps=25)
    pipeline.warm_up((320, 240))
    assert pipeline.scheduler.costs.crops_s(4) > 0
    assert [poses.track_ids.tolist() for _, poses in pipeline.run(walking(3))] == [[1]] * 3


@pytest.mark.parametrize("decoding", ["dark", "argmax"])
def test_a_peak_higher_than_one_is_a_score_of_one(decoding):
    class Loud(FakeRuntime):
        def __call__(self, crops_bgr):
            return np.float32(1.4) * super().__call__(crops_bgr)

    box_xyxy = np.array([[100.0, 60.0, 160.0, 180.0]])
    scores = PoseEstimator(Loud(), decoding).estimate(scene_image(100), box_xyxy).keypoint_scores
    assert 0.9 < scores.min() <= scores.max() <= 1.0


@pytest.mark.parametrize(
    ("budget", "live", "ids", "waits"),
    [
        ({}, False, [[1], [1], [1]], {True}),
        ({}, True, [[], [1], [1]], {False}),
        ({"max_latency_ms": 1e6}, False, [[], [], []], set()),
    ],
    ids=["a file waits for it", "a live image does not wait", "a budget has no time"],
)
def test_somebody_small_is_found_at_the_second_scale(make_pipeline, budget, live, ids, waits):
    pipeline = make_pipeline(**budget)
    pipeline.detector = FarSightedDetector()
    found = []
    for frame in walking(3).frames:
        captured_s = time.perf_counter() if live else None
        found.append(pipeline.process(frame.image_bgr, frame.time_s, captured_s).track_ids.tolist())
    assert found == ids
    assert set(pipeline.detector.waits) == waits


def test_a_wide_budget_changes_nothing(make_pipeline):
    plain = [poses for _, poses in make_pipeline().run(walking(20))]
    assert [poses for _, poses in make_pipeline(max_latency_ms=1e6).run(walking(20))] == plain


def test_a_budget_that_does_not_allow_everything_carries_people_by_their_boxes(
    make_pipeline, monkeypatch
):
    pipeline, counts, quick = make_pipeline(target_fps=50, smooth="none"), [], FakeRuntime.__call__

    def slow(self, crops_bgr):
        counts.append(len(crops_bgr))
        time.sleep(0.03 * len(crops_bgr))
        return quick(self, crops_bgr)

    monkeypatch.setattr(FakeRuntime, "__call__", slow)
    frames = list(pipeline.run(walking(30)))
    assert [poses.track_ids.tolist() for _, poses in frames[1:]] == [[1]] * 29
    carried = [(poses.keypoint_states == KeypointState.PREDICTED).all() for _, poses in frames[1:]]
    assert 7 <= sum(carried) <= 26
    assert pipeline.scheduler.dropped_work.poses == len(frames) - sum(counts)
    assert max(off_px(*pair) for pair in frames[15:]) < 10


def test_a_live_image_waits_for_one_person_alone_and_batches_come_beside(
    make_pipeline, monkeypatch
):
    asked, go_on, done = [], threading.Event(), threading.Event()

    def warm_up(batch_sizes):
        asked.append(list(batch_sizes))
        if len(asked) > 1:
            assert go_on.wait(30)
            done.set()

    pipeline = make_pipeline()
    monkeypatch.setattr(pipeline.estimator.runtime, "warm_up", warm_up)
    pipeline.warm_up((320, 240), live=True)
    assert asked[0] == [1]
    assert len(list(pipeline.run(walking(3)))) == 3
    go_on.set()
    assert done.wait(30)
    assert asked[1:] == [[1, 2, 3, 4]]


def test_images_that_go_together_are_what_they_are_alone(make_pipeline):
    pipeline = make_pipeline()
    empty = np.zeros((240, 320, 3), np.uint8)
    images = [scene_image(20), empty, scene_image(90, (640, 480)), scene_image(150)]
    together = pipeline.process_stills(images)
    assert together == [pipeline.process(image) for image in images]
    assert [len(poses) for poses in together] == [1, 0, 1, 1]
