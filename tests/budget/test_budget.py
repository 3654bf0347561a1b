"""What of a frame is done now: on made people in made images, and with times made up."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from people import made, points_in

from livepose.budget import DroppedWork, PoseSchedule, Scheduler
from livepose.poses import KeypointState
from livepose.smoothing import Smoother
from livepose.tracking import Tracked

DETECT_S, CROP_S, REST_S = 0.040, 0.010, 0.002
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


class Machine:
    """A machine that takes the same time for everything, and a clock that it moves on."""

    def __init__(self, crop_s=CROP_S, **budget):
        self.scheduler, self.crop_s, self.now_s = Scheduler(**budget), crop_s, 0.0
        self.frames_s, self.detections, self._due = [], 0, False
        self.scheduler.costs.learn("detect_s", DETECT_S)
        for count in (1, 2, 4):
            self.scheduler.costs.learn_crops(count, count * crop_s)

    def frame(self, people, due=False, age_s=0.0):
        """One frame, from being taken up to its poses; who was looked at."""
        start_s = self.now_s
        self.scheduler.begin(age_s)
        self._due |= due
        detects = self._due and self.scheduler.may_detect(start_s)
        self._due &= not detects
        self.detections += detects
        looked = self.scheduler.choose(list(range(1, people + 1)))
        network_s = int(looked.sum()) * self.crop_s
        stages_ms = {"detect": detects * DETECT_S * 1e3, "network": network_s * 1e3}
        self.frames_s.append(REST_S + detects * DETECT_S + network_s)
        self.now_s += self.frames_s[-1]
        self.scheduler.end(start_s - age_s, start_s, self.now_s, stages_ms)
        return looked


def test_without_a_budget_everything_is_done_and_nothing_is_counted():
    machine = Machine()
    assert not machine.scheduler.should_skip(0.0, 9.9)
    assert all(machine.frame(16, due=True).all() for _ in range(5))
    assert machine.detections == 5
    assert machine.scheduler.dropped_work == DroppedWork()
    assert not DroppedWork().words()


@pytest.mark.parametrize("people", (1, 16))
def test_the_rate_is_held_however_many_people_there_are(people):
    machine = Machine(target_fps=25)
    for number in range(200):
        machine.frame(people, due=number % 15 == 0)
    assert len(machine.frames_s) / machine.now_s >= 25
    assert machine.detections >= 8


def test_everybody_gets_a_turn_and_a_newcomer_the_next_one():
    machine = Machine(target_fps=25)
    turns = np.array([machine.frame(9) for _ in range(60)])
    counts = turns.sum(axis=0)
    assert counts.max() - counts.min() <= 1
    assert max(np.diff(np.flatnonzero(one)).max() for one in turns.T) <= 4  # three fit into a frame
    assert machine.frame(10)[9]


def test_each_frame_is_in_time_for_the_latency():
    machine = Machine(max_latency_ms=50)
    for number in range(100):
        machine.frame(12, due=number % 10 == 0, age_s=0.005)
    assert max(machine.frames_s) + 0.005 <= 0.050
    assert machine.scheduler.dropped_work.late == 0
    assert machine.scheduler.dropped_work.poses > 0


def test_a_detection_that_does_not_fit_is_spaced_and_comes_all_the_same():
    machine = Machine(max_latency_ms=30)
    for _ in range(100):
        machine.frame(2, due=True)
    assert 4 <= machine.detections <= 40
    dropped = machine.scheduler.dropped_work
    assert dropped.detections == 100 - machine.detections
    assert dropped.late >= machine.detections - 1
    assert any("detections put off" in line for line in dropped.words())
    assert json.loads(json.dumps(asdict(dropped)))["late"] == dropped.late
    machine.scheduler.reset()
    assert machine.scheduler.dropped_work == DroppedWork()
    assert machine.scheduler.costs.detect_s == pytest.approx(DETECT_S)


def test_where_one_person_alone_is_too_slow_frames_without_any_hold_the_rate():
    machine = Machine(crop_s=0.060, target_fps=30)
    looked = [machine.frame(1).any() for _ in range(90)]
    assert len(looked) / machine.now_s >= 29
    assert sum(looked) >= 30


def test_a_camera_faster_than_wanted_is_thinned_out():
    scheduler = Scheduler(target_fps=30)
    kept = [number for number in range(120) if not scheduler.should_skip(number / 120, 0.0)]
    assert 30 <= len(kept) <= 40
    assert scheduler.dropped_work.frames == 120 - len(kept)
    steady = Scheduler(target_fps=30)
    jitter = np.random.default_rng(0).normal(0, 0.002, 60)
    assert not any(steady.should_skip(number / 30 + jitter[number], 0.0) for number in range(60))


def test_a_frame_that_is_too_old_is_let_go_but_never_two_in_a_row():
    scheduler = Scheduler(max_latency_ms=100)
    assert [scheduler.should_skip(0.1 * n, 0.5) for n in range(4)] == [True, False, True, False]
    assert not scheduler.should_skip(1.0, 0.05)


def test_the_way_to_the_screen_counts_as_latency_too():
    machine = Machine(max_latency_ms=50)
    alone = machine.frame(12).sum()
    for _ in range(30):
        machine.frame(12)
        machine.scheduler.shown(machine.frames_s[-1] + 0.020)
    assert 0 < machine.frame(12).sum() <= alone - 2
