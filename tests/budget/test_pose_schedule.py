"""Who is looked at by the pose network, on made people in made images."""

import numpy as np
import pytest
from people import made, points_in

from livepose.budget import PoseSchedule
from livepose.poses import KeypointState
from livepose.smoothing import Smoother
from livepose.tracking import Tracked

STEP_S = 1 / 30
SHAPE = np.random.default_rng(3).uniform(0.1, 0.9, (17, 2))


class Scene:
    """People who stand side by side; each may walk, wave or be covered."""

    def __init__(self, *lefts, **how):
        self.smoother = Smoother()
        self.schedule = PoseSchedule(self.smoother, **how)
        self.lefts, self.time_s = list(lefts), 0.0
        self.image_bgr = np.full((480, 640, 3), 90, np.uint8)

    def poses(self):
        boxes_xyxy = np.array([[left, 100.0, left + 100, 300.0] for left in self.lefts])
        return made(points_in(boxes_xyxy, SHAPE), boxes_xyxy=boxes_xyxy, sigma_px=4.0)

    def frame(self, step_s=STEP_S):
        """Who was looked at in the next frame, and where everybody is said to be."""
        self.time_s += step_s
        poses = self.poses()
        tracked = Tracked(poses.boxes_xyxy, poses.track_ids, poses.scores)
        due = self.schedule.due(self.time_s, tracked, self.image_bgr)
        self.schedule.posed(self.time_s, poses.select(due))
        seen = self.smoother.apply(self.time_s, poses.select(due))
        overdue = np.zeros(np.count_nonzero(~due), dtype=bool)
        return due, self.schedule.propagate(self.time_s, seen, poses.select(~due), overdue)

    def frames(self, count, step_s=STEP_S):
        return np.array([self.frame(step_s)[0] for _ in range(count)])


def test_people_who_rest_are_looked_at_now_and_then_and_stay_where_they_are():
    scene = Scene(50, 400)
    assert scene.frames(15).all()  # newcomers
    assert 0.1 < scene.frames(60).mean() < 0.3
    for _ in range(30):
        due, people = scene.frame()
        assert people.track_ids.tolist() == [1, 2]
        np.testing.assert_allclose(people.keypoints_xy, scene.poses().keypoints_xy, atol=0.01)
        states = np.where(due, KeypointState.SEEN, KeypointState.PROPAGATED)
        assert (people.keypoint_states == states[:, None]).all()


@pytest.mark.parametrize("rate_hz", [4, 30, 120])
def test_nobody_is_propagated_for_longer_than_a_quarter_of_a_second(rate_hz):
    scene = Scene(50, 400)
    scene.frames(rate_hz, 1 / rate_hz)
    looks = scene.frames(3 * rate_hz, 1 / rate_hz)
    for person in looks.T:
        assert np.diff(np.flatnonzero(person)).max() / rate_hz <= 0.25 + 1e-9


def test_one_alone_and_whoever_asks_for_it_are_looked_at_in_every_frame():
    assert Scene(50).frames(60).all()
    assert Scene(50, 400, every_frame=True).frames(60).all()


def test_a_hand_that_begins_to_move_is_looked_at_in_the_same_frame_and_nobody_else_is():
    scene = Scene(50, 400)
    scene.frames(40)
    while not scene.frame()[0].all():
        pass
    scene.image_bgr = scene.image_bgr.copy()
    scene.image_bgr[150:170, 90:110] = 160
    assert scene.frame()[0].tolist() == [True, False]


def test_somebody_who_moves_unforeseen_is_looked_at_in_every_frame():
    scene = Scene(50, 400)
    scene.frames(40)
    noise = np.random.default_rng(0)
    looks = []
    for _ in range(20):
        scene.lefts[0] += noise.uniform(5, 25) * noise.choice((-1, 1))
        scene.image_bgr = noise.integers(0, 255, scene.image_bgr.shape, dtype=np.uint8)
        looks.append(scene.frame()[0][0])
    assert all(looks[1:])


@pytest.mark.parametrize(("step_s", "all_looked_at"), [(0.1, True), (0.04, False)])
def test_whoever_moves_is_not_propagated_over_a_tenth_of_a_second(step_s, all_looked_at):
    scene = Scene(0, 110, 220, 330, 440)
    noise = np.random.default_rng(0)
    looks = []
    for _ in range(40):  # something moves everywhere, but no keypoint does
        scene.image_bgr = noise.integers(0, 255, scene.image_bgr.shape, dtype=np.uint8)
        looks.append(scene.frame(step_s)[0])
    assert np.all(looks) == all_looked_at
