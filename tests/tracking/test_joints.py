import numpy as np
import pytest

from livepose.detection import Detections
from livepose.poses import KeypointState, Poses
from livepose.skeletons import COCO17
from livepose.tracking import Tracker

STEP_S = 1 / 30
BOX = np.array([100.0, 50.0, 200.0, 350.0])
LEFT_KNEE, RIGHT_KNEE = 13, 14
LEFT_ANKLE, RIGHT_ANKLE = 15, 16
LEFT_WRIST = 9
STANDING = np.array([
    (150, 80), (155, 75), (145, 75), (160, 80), (140, 80), (175, 120), (125, 120), (185, 165),
    (115, 165), (190, 205), (110, 205), (165, 210), (135, 210), (168, 270), (132, 270),
    (170, 335), (130, 335),
], dtype=float)  # fmt: skip


FOUND = Detections(BOX[None], np.array([0.9]))


def poses_of(tracked, keypoints_xy, scores):
    count, covariance = len(tracked), scores[:, None, None] * np.eye(2)
    return Poses(
        np.tile(keypoints_xy, (count, 1, 1)), np.tile(scores, (count, 1)), tracked.boxes_xyxy,
        tracked.scores, tracked.track_ids, np.tile(covariance, (count, 1, 1, 1)),
    )  # fmt: skip


def play(path, times_s=None):
    """Observes ``path(i)`` (17, 2) at each time; what the tracker made of each."""
    tracker = Tracker()
    times_s = np.arange(60) * STEP_S if times_s is None else times_s
    made = []
    for index, time_s in enumerate(times_s):
        poses = poses_of(tracker.update(time_s, FOUND), path(index), np.full(17, 0.7))
        made.append(tracker.observe(time_s, poses))
    return made


def standing(random=None):
    return STANDING + (0 if random is None else random.normal(0, 1.5, STANDING.shape))


def swapped(keypoints_xy, *pairs):
    order = np.arange(17)
    for pair in pairs:
        order[list(pair)] = pair[::-1]
    return keypoints_xy[order]


def stride(time_s):
    """Legs that swing past each other once a second, seen from the side; ankles 80 px each way."""
    keypoints_xy = STANDING.copy()
    keypoints_xy[:, 0] = 150 + 0.1 * (STANDING[:, 0] - 150)
    swing = np.sin(2 * np.pi * time_s)
    keypoints_xy[[LEFT_KNEE, RIGHT_KNEE], 0] += 35 * swing, -35 * swing
    keypoints_xy[[LEFT_ANKLE, RIGHT_ANKLE], 0] += 80 * swing, -80 * swing
    return keypoints_xy


@pytest.mark.parametrize("whole", [True, False])
def test_legs_swapped_for_a_few_images_are_exchanged_back(whole):
    random = np.random.default_rng(0)
    pairs = ((13, 14), (15, 16)) if whole else ((15, 16),)
    bad = {20, 21, 22, 40}
    made = play(lambda i: swapped(standing(random), *pairs if i in bad else ()))
    for poses in made:
        assert np.abs(poses.keypoints_xy[0] - STANDING).max() < 10


def test_scores_and_covariances_go_with_the_keypoints():
    tracker = Tracker()
    scores = np.where(np.arange(17) == LEFT_ANKLE, 0.9, 0.6)
    for index in range(10):
        order = () if index < 9 else ((LEFT_ANKLE, RIGHT_ANKLE),)
        tracked = tracker.update(index * STEP_S, FOUND)
        poses = poses_of(tracked, swapped(STANDING, *order), swapped(scores, *order))
        poses = tracker.observe(index * STEP_S, poses)
    assert poses.keypoint_scores[0, [LEFT_ANKLE, RIGHT_ANKLE]].tolist() == [0.9, 0.6]
    assert poses.covariance_px2[0, [LEFT_ANKLE, RIGHT_ANKLE], 0, 0].tolist() == [0.9, 0.6]


@pytest.mark.parametrize("fps", [10, 30])
def test_legs_that_pass_each_other_are_no_swap(fps):
    times_s = np.arange(4 * fps) / fps
    made = play(lambda i: stride(times_s[i]), times_s)
    for time_s, poses in zip(times_s, made, strict=True):
        np.testing.assert_array_equal(poses.keypoints_xy[0], stride(time_s))


def jumped(keypoints_xy):
    keypoints_xy = keypoints_xy.copy()
    keypoints_xy[LEFT_WRIST] = 320, 150  # a neighbour's hand
    return keypoints_xy


def test_a_hand_that_jumps_onto_a_neighbour_is_not_believed():
    random, bad = np.random.default_rng(1), {20, 21, 22}
    made = play(lambda i: jumped(standing(random)) if i in bad else standing(random))
    for index, poses in enumerate(made):
        assert np.isnan(poses.keypoints_xy[0, LEFT_WRIST]).all() == (index in bad)
        assert (poses.keypoint_scores[0, LEFT_WRIST] == 0) == (index in bad)
        state = KeypointState.MISSING if index in bad else KeypointState.SEEN
        assert poses.keypoint_states[0, LEFT_WRIST] == state
        assert np.isfinite(np.delete(poses.keypoints_xy[0], LEFT_WRIST, axis=0)).all()


def test_a_jump_that_stays_is_believed_after_a_quarter_of_a_second():
    made = play(lambda i: STANDING if i < 20 else jumped(STANDING))
    assert np.isnan(made[24].keypoints_xy[0, LEFT_WRIST]).all()
    assert np.isfinite(made[20 + 9].keypoints_xy[0, LEFT_WRIST]).all()


def test_a_fast_hand_is_believed():
    """Swung over the head in a third of a second and back: up to 6 m/s, if the person is 1.7 m."""

    def path(i):
        keypoints_xy = STANDING.copy()
        turn = np.pi * (0.5 + 0.5 * np.cos(2 * np.pi * i * STEP_S * 1.5))
        shoulder = keypoints_xy[5]
        aside = np.array([np.sin(turn), np.cos(turn)])
        keypoints_xy[7], keypoints_xy[9] = shoulder + 46 * aside, shoulder + 86 * aside
        return keypoints_xy

    made = play(path)
    assert all(np.isfinite(poses.keypoints_xy).all() for poses in made)


def test_from_behind_the_whole_body_does_not_turn_about_with_every_doubt_of_the_network():
    """It takes left for right for up to a second, sixteen times in 130 images."""
    random = np.random.default_rng(1)
    pairs = COCO17.flip_pairs
    turned = np.repeat(np.arange(16) % 2, random.integers(3, 12, 16))
    turned = np.concatenate([np.zeros(10, dtype=int), turned, np.ones(30, dtype=int)])[:130]
    times_s = np.arange(len(turned)) * STEP_S
    made = play(lambda i: swapped(standing(random), *(pairs if turned[i] else ())), times_s)
    for index, poses in enumerate(made):
        assert np.abs(poses.keypoints_xy[0] - STANDING).max() < 10, index


def test_somebody_of_whom_the_network_says_so_for_two_seconds_has_turned_about():
    turned = swapped(STANDING, *COCO17.flip_pairs)
    made = play(lambda i: turned if i >= 30 else STANDING, np.arange(120) * STEP_S)
    np.testing.assert_allclose(made[80].keypoints_xy[0], STANDING)
    np.testing.assert_allclose(made[-1].keypoints_xy[0], turned)
