import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracking_reference import corrected as correct
from tracking_reference import followed as follow
from tracking_reference import learned_margins as learn_margins
from tracking_reference import moved_on as advance

from livepose.boxes import inside, to_xywh, to_xyxy
from livepose.skeletons import COCO17
from livepose.tracking.associate import assign, buffered_iou
from livepose.tracking.identity import oks
from livepose.tracking.tracks import START_MARGINS, Tracks

START_MARGINS = np.array(START_MARGINS)
SIGMAS = np.array(COCO17.oks_sigmas)
POSE = np.random.default_rng(0).uniform(0, 200, (1, 17, 2))


def test_the_assignment_is_the_best_in_total():
    likeness = np.array([[0.9, 0.8], [0.85, 0.1]])
    rows, columns = assign(likeness, 0.05)
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (1, 0)]


def test_impossible_pairs_do_not_push_possible_ones_aside():
    likeness = np.array([[0.5, 0.29], [0.29, 0.0]])
    rows, columns = assign(likeness, 0.3)
    assert list(zip(rows, columns, strict=True)) == [(0, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody_is_assigned_to_nothing(shape):
    rows, columns = assign(np.empty(shape), 0.1)
    assert len(rows) == len(columns) == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_the_assignment_equals_trying_everything(seed, rows, columns):
    likeness = np.random.default_rng(seed).uniform(0, 1, (rows, columns))
    wide = likeness if rows <= columns else likeness.T
    best = max(
        sum(wide[r, c] for r, c in enumerate(order))
        for order in itertools.permutations(range(wide.shape[1]), wide.shape[0])
    )
    assert likeness[assign(likeness, 0.0)].sum() == pytest.approx(best)


def test_oks_of_a_pose_with_itself_is_one_and_falls_with_distance():
    area = np.array([200.0 * 200.0])
    values = [oks(POSE, POSE + shift, area, SIGMAS)[0, 0] for shift in (0.0, 5.0, 20.0, 200.0)]
    assert values[0] == pytest.approx(1.0)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.05


def test_oks_is_the_measure_of_coco():
    area = np.array([150.0 * 220.0])
    apart_px2 = 2 * 6.0**2
    wanted = np.mean(np.exp(-apart_px2 / (2 * area[0] * (2 * SIGMAS) ** 2)))
    assert oks(POSE, POSE + 6.0, area, SIGMAS)[0, 0] == pytest.approx(wanted)


def test_oks_counts_what_both_see_and_nothing_below_four():
    area = np.array([4e4])
    half, few = POSE.copy(), POSE.copy()
    half[0, 8:], few[0, 3:] = np.nan, np.nan
    assert oks(POSE, half, area, SIGMAS)[0, 0] == pytest.approx(1.0)
    assert oks(POSE, few, area, SIGMAS)[0, 0] == 0.0


def test_boxes_that_just_miss_meet_when_they_are_grown():
    first, second = np.array([[0.0, 0, 100, 100]]), np.array([[110.0, 0, 210, 100]])
    assert buffered_iou(first, second, 0.0)[0, 0] == 0.0
    assert buffered_iou(first, second, 0.3)[0, 0] > 0.1


def test_inside_is_the_part_of_the_first_box():
    small, large = np.array([[10.0, 10, 20, 20]]), np.array([[0.0, 0, 15, 100]])
    assert inside(small, large)[0, 0] == pytest.approx(0.5)
    assert inside(large, small)[0, 0] == pytest.approx(50 / 1500)


def test_edges_and_centres_are_two_ways_to_say_a_box():
    boxes_xyxy = np.array([[1.0, 2, 5, 10], [-3, -4, 0, 0]])
    np.testing.assert_allclose(to_xyxy(to_xywh(boxes_xyxy)), boxes_xyxy)


def path(times_s, speed_px_s=300.0):
    return [np.array([[speed_px_s * t, 0, speed_px_s * t + 80, 200]]) for t in times_s]


def start(boxes_xyxy, noise):
    return Tracks.born(boxes_xyxy, np.ones(len(boxes_xyxy)), 0.0, noise, 17).table


@pytest.mark.parametrize("step_s", [1 / 120, 1 / 30, 1 / 10])
def test_a_constant_speed_is_learned_at_any_frame_rate(step_s):
    times_s = np.arange(0, 1.5, step_s)
    measured = path(times_s)
    motion = start(measured[0], 0.04)
    for boxes_xyxy in measured[1:]:
        motion = correct(advance(motion, step_s, 4.0), boxes_xyxy, 0.04)
    assert motion["velocity"][0, 0] == pytest.approx(300.0, rel=0.05)
    later = to_xyxy(advance(motion, 0.5, 4.0)["xywh"])
    np.testing.assert_allclose(later, path([times_s[-1] + 0.5])[0], atol=12)


def test_two_half_steps_predict_what_one_whole_step_does():
    motion = correct(start(path([0.0])[0], 0.04), path([0.1])[0], 0.04)
    once = advance(motion, 0.2, 4.0)
    twice = advance(advance(motion, 0.1, 4.0), 0.1, 4.0)
    np.testing.assert_allclose(once["xywh"][:, :2], twice["xywh"][:, :2], rtol=1e-9)
    np.testing.assert_allclose(once["variance"][:, :2], twice["variance"][:, :2], rtol=1e-6)


def test_no_time_changes_nothing():
    motion = correct(start(path([0.0])[0], 0.04), path([0.1])[0], 0.04)
    after = advance(motion, 0.0, 4.0)
    for name in ("xywh", "velocity", "variance"):
        np.testing.assert_array_equal(motion[name], after[name])


def test_a_box_keeps_a_size_however_long_it_shrinks():
    motion = start(np.array([[0.0, 0, 50, 50]]), 0.04)
    motion["velocity"][:, 2:] = -1000.0
    assert np.all(advance(motion, 3.0, 4.0)["xywh"][:, 2:] >= 1.0)


def test_learned_margins_lead_from_keypoints_back_to_the_detected_box():
    box = np.array([[-30.0, -60, 240, 260]])
    margins = START_MARGINS[None]
    for _ in range(40):
        margins = learn_margins(margins, POSE, box)
    put = follow(box * 0, np.full_like(POSE, np.nan), POSE, margins, np.array([np.inf]))
    np.testing.assert_allclose(put, box, atol=1e-3)


def test_margins_learn_nothing_from_a_pose_without_keypoints():
    margins = START_MARGINS[None]
    nothing = np.full_like(POSE, np.nan)
    np.testing.assert_array_equal(
        learn_margins(margins, nothing, np.array([[0.0, 0, 9, 9]])), margins
    )


def test_a_box_moves_as_its_keypoints_move():
    box = np.array([[-20.0, -30, 220, 220]])
    moved = follow(box, POSE, POSE + 7.0, START_MARGINS[None], np.array([1e-9]))
    np.testing.assert_allclose(moved, box + 7.0, atol=1e-6)


def test_a_box_never_cuts_its_keypoints_off():
    box = np.array([[90.0, 90, 110, 110]])
    put = follow(box, POSE, POSE, START_MARGINS[None] * 0, np.array([1e-9]))
    assert np.all(put[0, :2] <= POSE[0].min(axis=0))
    assert np.all(put[0, 2:] >= POSE[0].max(axis=0))


def test_a_box_without_keypoints_stays():
    box = np.array([[0.0, 0, 50, 50]])
    nothing = np.full_like(POSE, np.nan)
    np.testing.assert_array_equal(
        follow(box, POSE, nothing, START_MARGINS[None], np.array([0.1])), box
    )
