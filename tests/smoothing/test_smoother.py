import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livepose.poses import KeypointState, Poses
from livepose.smoothing import METHODS, PRESETS, Smoother

STEP_S = 1 / 30
SCALE_PX = 200.0


@pytest.fixture(params=["balanced", "one-euro"])
def method(request):
    return request.param


def people(xy, ids=(1,), scores=0.8, scale_px=SCALE_PX, sigma=0.0275):
    """Poses whose 17 keypoints of each person all lie at xy, (P, 2) or (P, 17, 2)."""
    xy = np.array(xy, dtype=float)
    if xy.ndim == 2:
        xy = np.repeat(xy[:, None], 17, axis=1)
    count = len(xy)
    return Poses(
        keypoints_xy=xy,
        keypoint_scores=np.where(np.isfinite(xy).all(axis=2), scores, 0.0),
        boxes_xyxy=np.tile([0.0, 0.0, scale_px, scale_px], (count, 1)),
        scores=np.ones(count),
        track_ids=np.array(ids, dtype=np.int64),
        covariance_px2=np.tile(np.eye(2) * (sigma * scale_px) ** 2, (count, 17, 1, 1)),
    )


def smoothed(smoother, points, start_s=0.0, step_s=STEP_S, **kwargs):
    """First keypoint of person 1 over a list of points."""
    return np.array(
        [
            smoother.apply(start_s + i * step_s, people([point], **kwargs)).keypoints_xy[0, 0]
            for i, point in enumerate(points)
        ]
    )


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(100.0, 1.0, (count, 2))


def test_the_first_sight_of_a_person_is_handed_out_as_it_is(method):
    poses = people([[12.5, 40.25]])
    np.testing.assert_array_equal(
        Smoother(method).apply(3.0, poses).keypoints_xy, poses.keypoints_xy
    )


def test_a_still_keypoint_trembles_less_than_half_as_much(method):
    points = noise(300)
    out = smoothed(Smoother(method), points)[60:]
    assert out.std() < 0.5 * points.std()


def test_a_fast_hand_lags_by_less_than_a_frame(method):
    times_s = np.arange(120) * STEP_S
    path = 100 + np.stack([3 * SCALE_PX * times_s, 0 * times_s], axis=1)
    out = smoothed(Smoother(method), path)
    lag_s = (path[-1, 0] - out[-1, 0]) / (3 * SCALE_PX)
    assert 0 <= lag_s < STEP_S / 2


def test_a_constant_position_stays_exactly_there(method):
    out = smoothed(Smoother(method), [[33.0, 44.0]] * 20)
    np.testing.assert_allclose(out, np.tile([33.0, 44.0], (20, 1)), atol=1e-9)


def test_a_timestamp_of_zero_is_a_time(method):
    points = noise(30)
    from_zero = smoothed(Smoother(method), points, start_s=0.0)
    from_later = smoothed(Smoother(method), points, start_s=64.0)
    np.testing.assert_allclose(from_zero, from_later, atol=1e-6)
    assert not np.allclose(from_zero[1], points[1])


def test_a_time_of_zero_in_the_middle_of_a_stream_is_a_time(method):
    points = noise(30)
    np.testing.assert_allclose(
        smoothed(Smoother(method), points, start_s=-10 * STEP_S),
        smoothed(Smoother(method), points, start_s=10.0),
        atol=1e-6,
    )


def test_a_reset_equals_a_new_filter(method):
    used = Smoother(method)
    smoothed(used, noise(50, seed=1) * 3)
    used.reset()
    points = noise(30, seed=2)
    np.testing.assert_array_equal(smoothed(used, points), smoothed(Smoother(method), points))


def test_a_reset_allows_time_to_begin_again(method):
    used = Smoother(method)
    smoothed(used, noise(50), start_s=1000.0)
    used.reset()
    np.testing.assert_array_equal(used.apply(0.0, people([[1.0, 2.0]])).keypoints_xy[0, 0], [1, 2])


def test_a_repeated_time_changes_nothing_and_divides_by_nothing(method):
    smoother = Smoother(method)
    smoother.apply(1.0, people([[10.0, 10.0]]))
    with np.errstate(all="raise"):
        again = smoother.apply(1.0, people([[14.0, 10.0]]))
    np.testing.assert_array_equal(again.keypoints_xy[0, 0], [10.0, 10.0])
    moved = smoother.apply(1.0 + STEP_S, people([[14.0, 10.0]])).keypoints_xy[0, 0, 0]
    assert 10.0 < moved < 14.0


def test_a_long_gap_starts_the_person_anew(method):
    smoother = Smoother(method)
    smoothed(smoother, [[10.0, 10.0]] * 5)
    np.testing.assert_array_equal(
        smoother.apply(10.0, people([[90.0, 10.0]])).keypoints_xy[0, 0], [90.0, 10.0]
    )


def test_time_that_runs_backwards_starts_the_person_anew(method):
    smoother = Smoother(method)
    smoothed(smoother, [[10.0, 10.0]] * 5, start_s=50.0)
    np.testing.assert_array_equal(
        smoother.apply(0.0, people([[90.0, 10.0]])).keypoints_xy[0, 0], [90.0, 10.0]
    )


def test_the_same_motion_in_seconds_is_smoothed_alike_at_any_frame_rate(method):
    def end(fps):
        times_s = np.arange(int(2 * fps) + 1) / fps
        path = np.stack([100 + 0.5 * SCALE_PX * times_s, 0 * times_s], axis=1)
        return path[-1, 0] - smoothed(Smoother(method), path, step_s=1 / fps)[-1, 0]

    assert end(30) == pytest.approx(end(120), rel=0.25, abs=0.5)  # px at 100 px/s: 5 ms


def test_near_and_far_people_are_smoothed_alike(method):
    points = noise(40) - 100
    near = smoothed(Smoother(method), points * 4, scale_px=4 * SCALE_PX)
    far = smoothed(Smoother(method), points, scale_px=SCALE_PX)
    np.testing.assert_allclose(near, 4 * far, atol=1e-9)


def test_smoothing_knows_no_direction(method):
    points = noise(40) - 100
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(
        smoothed(Smoother(method), points @ turn.T),
        smoothed(Smoother(method), points) @ turn.T,
        atol=1e-9,
    )


def vanishing(smoother, missing_frames):
    """Five frames at (50, 60), then missing ones: positions and scores of the missing ones."""
    smoothed(smoother, [[50.0, 60.0]] * 5)
    found = []
    for i in range(5, 5 + missing_frames):
        poses = smoother.apply(i * STEP_S, people([[np.nan, np.nan]]))
        found.append((*poses.keypoints_xy[0, 0], poses.keypoint_scores[0, 0]))
    return np.array(found)


def test_a_keypoint_that_vanishes_fades_in_place_and_is_then_nan(method):
    found = vanishing(Smoother(method), 12)
    held = found[:5]
    np.testing.assert_allclose(held[:, :2], np.tile([50.0, 60.0], (5, 1)), atol=1e-9)
    assert np.all(np.diff(held[:, 2]) < 0)
    assert np.all((held[:, 2] > 0) & (held[:, 2] < 0.8))
    assert np.isnan(found[6:, :2]).all()
    assert np.all(found[6:, 2] == 0)


def test_a_keypoint_never_jumps_to_the_origin(method):
    smoother = Smoother(method)
    never_seen = smoother.apply(0.0, people([[np.nan, np.nan]]))
    assert np.isnan(never_seen.keypoints_xy).all()
    assert not np.any(never_seen.keypoint_scores)
    found = vanishing(Smoother(method), 12)
    assert not np.any(np.hypot(found[:, 0], found[:, 1]) < 10)


def test_a_held_keypoint_has_no_covariance_and_a_seen_one_keeps_its_own(method):
    smoother = Smoother(method)
    seen = smoother.apply(0.0, people([[50.0, 60.0]]))
    np.testing.assert_allclose(seen.covariance_px2[0, 0], 30.25 * np.eye(2))
    held = smoother.apply(STEP_S, people([[np.nan, np.nan]]))
    assert np.isfinite(held.keypoints_xy).all()
    assert np.isnan(held.covariance_px2).all()


def test_a_keypoint_is_seen_then_predicted_then_missing(method):
    smoother = Smoother(method)
    states = []
    for i, x in enumerate([50.0, np.nan, np.nan, np.nan]):
        poses = smoother.apply(0.15 * i, people([[x, 60.0]]))
        states.append(KeypointState(poses.keypoint_states[0, 0]).word)
    assert states == ["seen", "predicted", "missing", "missing"]


def test_a_position_with_score_zero_is_missing(method):
    smoother = Smoother(method)
    smoother.apply(0.0, people([[50.0, 60.0]]))
    held = smoother.apply(STEP_S, people([[0.0, 0.0]], scores=0.0))
    np.testing.assert_array_equal(held.keypoints_xy[0, 0], [50.0, 60.0])


def test_a_keypoint_that_reappears_far_away_does_not_glide_there(method):
    smoother = Smoother(method)
    vanishing(smoother, 2)
    back = smoother.apply(7 * STEP_S, people([[150.0, 60.0]]))
    np.testing.assert_array_equal(back.keypoints_xy[0, 0], [150.0, 60.0])


def test_a_keypoint_that_reappears_near_goes_on_smoothly(method):
    smoother = Smoother(method)
    vanishing(smoother, 2)
    back = smoother.apply(7 * STEP_S, people([[54.0, 60.0]]))
    assert 50.0 < back.keypoints_xy[0, 0, 0] < 54.0


def test_a_keypoint_that_faded_away_starts_anew(method):
    smoother = Smoother(method)
    vanishing(smoother, 10)
    back = smoother.apply(15 * STEP_S, people([[52.0, 60.0]]))
    np.testing.assert_array_equal(back.keypoints_xy[0, 0], [52.0, 60.0])


def test_a_new_track_id_starts_fresh(method):
    smoother = Smoother(method)
    smoothed(smoother, [[10.0, 10.0]] * 5)
    other = smoother.apply(5 * STEP_S, people([[12.0, 10.0]], ids=(2,)))
    np.testing.assert_array_equal(other.keypoints_xy[0, 0], [12.0, 10.0])


def test_people_are_told_apart_by_id_not_by_row(method):
    smoother = Smoother(method)
    smoother.apply(0.0, people([[10.0, 10.0], [300.0, 10.0]], ids=(1, 2)))
    swapped = smoother.apply(STEP_S, people([[300.0, 10.0], [10.0, 10.0]], ids=(2, 1)))
    np.testing.assert_allclose(swapped.keypoints_xy[:, 0, 0], [300.0, 10.0], atol=1e-9)


def test_the_state_of_the_dead_is_dropped(method):
    smoother = Smoother(method)
    for track_id in range(1, 500):
        smoother.apply(2.0 * track_id, people([[5.0, 5.0]], ids=(track_id,)))
    assert len(smoother._slots) == len(smoother._states) == 1


def test_people_who_are_not_followed_pass_untouched(method):
    smoother = Smoother(method)
    points = noise(5)
    np.testing.assert_array_equal(smoothed(smoother, points, ids=(0,)), points)


def test_the_input_is_not_modified(method):
    smoother = Smoother(method)
    smoother.apply(0.0, people([[10.0, 10.0]]))
    poses = people([[20.0, 10.0]])
    for array in (poses.keypoints_xy, poses.keypoint_scores, poses.covariance_px2):
        array.setflags(write=False)
    out = smoother.apply(STEP_S, poses)
    np.testing.assert_array_equal(poses.keypoints_xy, people([[20.0, 10.0]]).keypoints_xy)
    assert out.keypoints_xy[0, 0, 0] < 20.0


def test_none_hands_the_poses_through():
    poses = people([[np.nan, 1.0]])
    assert Smoother("none").apply(0.0, poses) is poses


def test_a_person_without_a_box_is_scaled_by_the_keypoints(method):
    rng = np.random.default_rng(0)
    smoother = Smoother(method)
    for i in range(5):
        poses = people(rng.uniform(0, 100, (1, 17, 2)))
        poses.boxes_xyxy[:] = np.nan
        assert np.isfinite(smoother.apply(i * STEP_S, poses).keypoints_xy).all()


def test_an_empty_frame_is_fine_and_forgets_nobody_at_once(method):
    smoother = Smoother(method)
    smoothed(smoother, [[10.0, 10.0]] * 5)
    assert len(smoother.apply(5 * STEP_S, Poses.empty())) == 0
    back = smoother.apply(6 * STEP_S, people([[12.0, 10.0]]))
    assert 10.0 < back.keypoints_xy[0, 0, 0] < 12.0


def test_an_unknown_method_says_which_there_are():
    with pytest.raises(ValueError, match=r"one-euro, none.*'kalman'"):
        Smoother("kalman")
    assert METHODS == ("still", "balanced", "fast", "one-euro", "none")


def test_a_time_that_is_no_number_is_refused(method):
    with pytest.raises(ValueError, match="finite seconds"):
        Smoother(method).apply(float("nan"), Poses.empty())


def through_gaps(smoother, steps_s, seed):
    """Random points with gaps at random times: what was seen, and what came out."""
    rng = np.random.default_rng(seed)
    now_s, seen = 0.0, []
    for step_s in steps_s:
        now_s += step_s
        xy = rng.uniform(-50, 50, (1, 2))
        gone = rng.random() < 0.3
        seen += [] if gone else [xy[0]]
        yield seen, smoother.apply(now_s, people([[np.nan] * 2] if gone else xy))


TIMES = st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(steps_s=TIMES, seed=st.integers(0, 2**16))
@example(steps_s=[0.0, 5e-324], seed=459)
def test_one_euro_stays_between_what_was_seen_whatever_the_times(steps_s, seed):
    for seen, out in through_gaps(Smoother("one-euro"), steps_s, seed):
        assert np.all((out.keypoint_scores > 0) == np.isfinite(out.keypoints_xy).all(axis=2))
        if seen and np.isfinite(out.keypoints_xy).any():
            assert np.min(seen) - 1e-9 <= out.keypoints_xy.min()
            assert out.keypoints_xy.max() <= np.max(seen) + 1e-9


@settings(max_examples=40, deadline=None)
@given(steps_s=TIMES, seed=st.integers(0, 2**16))
def test_whatever_the_times_a_keypoint_stays_near_what_was_seen(steps_s, seed):
    for _, out in through_gaps(Smoother("balanced"), steps_s, seed):
        assert np.all((out.keypoint_scores > 0) == np.isfinite(out.keypoints_xy).all(axis=2))
        found = out.keypoints_xy[np.isfinite(out.keypoints_xy)]
        assert np.all(np.abs(found) < 150)  # the points lie within 50 of the origin


def test_a_still_keypoint_trembles_a_third_less_than_by_one_euro_and_a_fast_one_lags_less():
    rest = noise(300)
    calm = {name: smoothed(Smoother(name), rest)[60:].std() for name in ("balanced", "one-euro")}
    assert calm["balanced"] < 0.67 * calm["one-euro"]
    times_s = np.arange(90) * STEP_S
    path = 100 + np.stack([SCALE_PX * times_s, 0 * times_s], axis=1)
    late = {name: path[-1, 0] - smoothed(Smoother(name), path)[-1, 0] for name in calm}
    assert abs(late["balanced"]) < 0.3 * late["one-euro"]


def test_presets_differ_in_the_order_of_their_names():
    tremble = [smoothed(Smoother(name), noise(300))[60:].std() for name in PRESETS]
    assert tremble == sorted(tremble)


def test_an_unsure_measurement_moves_a_keypoint_less_than_a_sure_one():
    def moved(sigma):
        smoother = Smoother()
        smoothed(smoother, noise(60) * 0 + 100.0)
        last = people([[104.0, 100.0]], sigma=sigma)
        return smoother.apply(60 * STEP_S, last).keypoints_xy[0, 0, 0] - 100.0

    assert 0 < moved(0.15) < 0.5 * moved(0.02)


def test_a_leap_that_nobody_can_make_is_doubted_until_it_is_confirmed():
    smoother = Smoother()
    smoothed(smoother, [[100.0, 100.0]] * 10)
    leap = smoother.apply(10 * STEP_S, people([[200.0, 100.0]]))
    np.testing.assert_allclose(leap.keypoints_xy[0, 0], [100.0, 100.0], atol=1e-6)
    assert leap.keypoint_states[0, 0] == KeypointState.PREDICTED
    assert np.isnan(leap.covariance_px2[0, 0]).all()
    again = smoother.apply(11 * STEP_S, people([[201.0, 100.0]]))
    np.testing.assert_array_equal(again.keypoints_xy[0, 0], [201.0, 100.0])
    assert again.keypoint_states[0, 0] == KeypointState.SEEN


def test_a_single_leap_and_back_is_never_shown():
    path = [[100.0, 100.0]] * 10 + [[200.0, 100.0]] + [[100.0, 100.0]] * 10
    np.testing.assert_allclose(smoothed(Smoother(), path), 100.0, atol=1e-6)


def test_a_moving_keypoint_that_vanishes_glides_on_and_halts():
    smoother = Smoother()
    path = [[100.0 + 6.0 * i, 100.0] for i in range(30)]
    smoothed(smoother, path)
    ways = [
        smoother.apply(i * STEP_S, people([[np.nan] * 2])).keypoints_xy[0, 0, 0]
        for i in range(30, 34)
    ]
    steps = np.diff([path[-1][0], *ways])
    assert np.all(steps > 0) and np.all(np.diff(steps) < 0) and steps[0] < 6.5


def test_a_lead_hands_out_where_a_moving_keypoint_will_be_and_leaves_a_still_one_alone():
    def last(path, lead_s):
        smoother = Smoother()
        smoother.lead_s = lead_s
        return smoothed(smoother, path)[-1, 0]

    moving = [[100.0 + 6.0 * i, 100.0] for i in range(30)]  # 180 px a second
    assert 4.0 < last(moving, 0.04) - last(moving, 0.0) < 7.2
    still = [[100.0, 100.0]] * 30
    assert last(still, 0.04) == pytest.approx(100.0, abs=1e-6)


def test_ten_people_take_a_tenth_of_a_millisecond_in_the_kernel(method):
    smoother = Smoother(method)
    poses = people(np.random.default_rng(0).uniform(0, 500, (10, 17, 2)), ids=range(1, 11))
    took_s = []
    for i in range(300):
        smoother.apply(i * STEP_S, poses)
        start_s = time.perf_counter()
        smoother._filter((i + 0.5) * STEP_S, poses)
        took_s.append(time.perf_counter() - start_s)
    assert np.median(took_s[50:]) < 0.3e-3  # slack for busy machines; docs/smoothness.md has it


@pytest.mark.parametrize("fps", [1, 2, 5, 10])
def test_a_still_keypoint_trembles_less_at_few_pictures_a_second_too(method, fps):
    points = noise(200)
    out = smoothed(Smoother(method), points, step_s=1 / fps)[20:]
    assert out.std() < 0.9 * points.std()


@pytest.mark.parametrize("fps", [2, 5])
def test_at_few_pictures_a_second_motion_is_followed(fps):
    times_s = np.arange(4 * fps) / fps
    path = np.stack([100 + 0.5 * SCALE_PX * times_s, 0 * times_s], axis=1)
    late_px = path[-1, 0] - smoothed(Smoother("balanced"), path, step_s=1 / fps)[-1, 0]
    assert abs(late_px) < 0.02 * SCALE_PX


def walk(smoother, seconds=1.0, speed_px_s=60.0):
    """Somebody who walks evenly for a while; the time of the last look."""
    for index in range(round(seconds / STEP_S)):
        smoother.apply(index * STEP_S, people([[100 + speed_px_s * index * STEP_S, 50.0]]))
    return index * STEP_S


def test_whoever_is_not_looked_at_goes_on_walking_and_nothing_is_learned():
    smoother = Smoother("balanced")
    last_s = walk(smoother, 3.0)
    overdue = np.zeros(1, dtype=bool)
    ahead = [
        smoother.propagate(last_s + wait_s, people([[0.0, 0.0]]), overdue)
        for wait_s in (0.2, STEP_S, STEP_S)
    ]
    at = 100 + 60 * (last_s + STEP_S)
    np.testing.assert_allclose(ahead[1].keypoints_xy[..., 0], at, atol=0.5)
    np.testing.assert_array_equal(ahead[1].keypoints_xy, ahead[2].keypoints_xy)
    assert (ahead[0].keypoint_states == KeypointState.PROPAGATED).all()
    assert (ahead[0].sigma_px > ahead[1].sigma_px).all()
    np.testing.assert_allclose(ahead[1].keypoint_scores, 0.8)


def test_a_prediction_that_is_overdue_says_so_and_strangers_have_none():
    smoother = Smoother("balanced")
    last_s = walk(smoother)
    two = people([[0.0, 0.0], [0.0, 0.0]], ids=(1, 7))
    found = smoother.propagate(last_s + 0.1, two, np.ones(2, dtype=bool))
    assert found.track_ids.tolist() == [1]
    assert (found.keypoint_states == KeypointState.PREDICTED).all()
    assert np.isnan(found.covariance_px2).all()


def test_a_prediction_is_doubted_the_more_the_older_it_is_and_of_strangers_fully():
    smoother = Smoother("balanced")
    last_s = walk(smoother)
    ids = np.array([1, 7])
    doubts = [smoother.doubts(last_s + wait_s, ids) for wait_s in (0.03, 0.1, 0.3)]
    assert doubts[0][0] < doubts[1][0] < doubts[2][0]
    assert all(np.isinf(each[1]) for each in doubts)
    assert np.isinf(Smoother("none").doubts(0.0, ids)).all()
