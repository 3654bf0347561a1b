import numpy as np
import pytest
from people import found, made, points_in

from livepose.poses import KeypointState
from livepose.skeletons import COCO17
from livepose.tracking import Tracker

BOX = [100.0, 50.0, 200.0, 350.0]
SHOULDER, ELBOW, WRIST = 5, 7, 9
KNEES, ANKLES = (13, 14), (15, 16)
STANDING = points_in(BOX)
STANDING[[*KNEES, *ANKLES], 0] += 8, -8, 8, -8  # legs well apart


def play(path, fps=30, scores=0.7):
    """Observes each of the (17, 2) of a path; what the tracker made of it."""
    tracker = Tracker()
    for index, keypoints_xy in enumerate(path):
        tracked = tracker.update(index / fps, found(BOX))
        yield tracker.observe(index / fps, made([keypoints_xy], scores, tracked.boxes_xyxy))


def swapped(values, *pairs):
    order = np.arange(17)
    for pair in pairs:
        order[list(pair)] = pair[::-1]
    return values[order]


def unsure_for_seconds():
    """Images in which the network takes left for right, for up to a second, sixteen times."""
    turned = np.repeat(np.arange(16) % 2, np.random.default_rng(1).integers(3, 12, 16))
    return 10 + np.flatnonzero(turned)


@pytest.mark.parametrize(
    ("pairs", "bad"),
    [
        ((KNEES, ANKLES), (20, 21, 22, 40)),
        ((ANKLES,), (20, 21, 22, 40)),
        (COCO17.flip_pairs, unsure_for_seconds()),
    ],
    ids=["legs", "ankles", "the whole body from behind"],
)
def test_what_is_swapped_for_some_images_is_exchanged_back(pairs, bad):
    noise = np.random.default_rng(0).normal(0, 1.5, (130, 17, 2))
    path = [swapped(STANDING + one, *pairs if i in bad else ()) for i, one in enumerate(noise)]
    for index, poses in enumerate(play(path)):
        assert np.abs(poses.keypoints_xy[0] - STANDING).max() < 10, index


def test_scores_and_covariances_go_with_the_keypoints():
    scores = np.where(np.arange(17) == ANKLES[0], 0.9, 0.6)
    tracker = Tracker()
    for index in range(10):
        order = () if index < 9 else (ANKLES,)
        tracked = tracker.update(index / 30, found(BOX))
        seen = made([swapped(STANDING, *order)], swapped(scores, *order), tracked.boxes_xyxy)
        seen.covariance_px2[0] = swapped(scores, *order)[:, None, None] * np.eye(2)
        poses = tracker.observe(index / 30, seen)
    assert poses.keypoint_scores[0, ANKLES].tolist() == [0.9, 0.6]
    assert poses.covariance_px2[0, ANKLES, 0, 0].tolist() == [0.9, 0.6]


def striding(fps):
    """Legs that swing past each other once a second, seen from the side; ankles 80 px each way."""
    path = np.tile(STANDING, (4 * fps, 1, 1))
    path[..., 0] = 150 + 0.1 * (STANDING[:, 0] - 150)
    swing = np.sin(2 * np.pi * np.arange(4 * fps) / fps)[:, None]
    path[:, KNEES, 0] += 35 * swing * (1, -1)
    path[:, ANKLES, 0] += 80 * swing * (1, -1)
    return path


def swinging(fps):
    """A hand over the head in a third of a second and back: up to 6 m/s, if that is 1.7 m."""
    path = np.tile(STANDING, (2 * fps, 1, 1))
    turn = np.pi * (0.5 + 0.5 * np.cos(3 * np.pi * np.arange(2 * fps) / fps))
    aside = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    path[:, ELBOW], path[:, WRIST] = (STANDING[SHOULDER] + reach * aside for reach in (46, 86))
    return path


@pytest.mark.parametrize(("motion", "fps"), [(striding, 10), (striding, 30), (swinging, 30)])
def test_legs_that_pass_each_other_and_a_fast_hand_are_believed(motion, fps):
    for keypoints_xy, poses in zip(motion(fps), play(motion(fps), fps), strict=True):
        np.testing.assert_array_equal(poses.keypoints_xy[0], keypoints_xy)


def jumped(keypoints_xy):
    """A neighbour's hand."""
    return np.where(np.arange(17)[:, None] == WRIST, (320, 150), keypoints_xy)


def test_a_hand_that_jumps_onto_a_neighbour_is_not_believed():
    noise, bad = np.random.default_rng(1).normal(0, 1.5, (60, 17, 2)), {20, 21, 22}
    path = [jumped(STANDING) if i in bad else STANDING + one for i, one in enumerate(noise)]
    for index, poses in enumerate(play(path)):
        assert np.isnan(poses.keypoints_xy[0, WRIST]).all() == (index in bad)
        assert (poses.keypoint_scores[0, WRIST] == 0) == (index in bad)
        state = KeypointState.MISSING if index in bad else KeypointState.SEEN
        assert poses.keypoint_states[0, WRIST] == state
        assert np.isfinite(np.delete(poses.keypoints_xy[0], WRIST, axis=0)).all()


def test_what_the_network_insists_on_is_believed_a_jump_sooner_than_a_turn():
    path = [STANDING] * 30 + [jumped(STANDING)] * 10
    shown = [np.isfinite(poses.keypoints_xy[0, WRIST]).all() for poses in play(path)]
    assert not shown[34] and shown[39]
    turned = swapped(STANDING, *COCO17.flip_pairs)
    shown = [poses.keypoints_xy[0] for poses in play([STANDING] * 30 + [turned] * 90)]
    np.testing.assert_allclose(shown[80], STANDING)
    np.testing.assert_allclose(shown[-1], turned)
