import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from people import made

from livepose.poses import KeypointState, Poses
from livepose.smoothing import COSTS, Smoother

STEP_S = 1 / 30
SCALE_PX = 200.0


def people(xy, ids=(1,), scale_px=SCALE_PX):
    """Poses whose 17 keypoints of each person all lie at xy, (P, 2)."""
    xy = np.repeat(np.array(xy, dtype=float)[:, None], 17, axis=1)
    return made(xy, 0.8, (0.0, 0.0, scale_px, scale_px), ids, 0.0275 * scale_px)


NOWHERE = people([[np.nan] * 2])


def smoothed(smoother, points, start_s=0.0, step_s=STEP_S, **how):
    """First keypoint of person 1 over a list of points."""
    times_s = start_s + step_s * np.arange(len(points))
    seen = zip(times_s, points, strict=True)
    shown = [smoother.apply(time_s, people([point], **how)) for time_s, point in seen]
    return np.array([poses.keypoints_xy[0, 0] for poses in shown])


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(100.0, 1.0, (count, 2))


def straight(seconds, speed_px_s, fps=30.0):
    """A path to the right."""
    times_s = np.arange(round(seconds * fps) + 1) / fps
    return np.stack([100 + speed_px_s * times_s, 0 * times_s], axis=1)


def late_px(path, fps=30.0):
    return path[-1, 0] - smoothed(Smoother(), path, step_s=1 / fps)[-1, 0]


def test_a_still_keypoint_trembles_less_than_half_as_much_the_calmer_the_choice_the_less():
    seen = noise(200)
    still = {name: smoothed(Smoother(name), seen)[60:].std() for name in COSTS}
    assert list(still.values()) == sorted(still.values())
    assert still["balanced"] < 0.5 * seen.std() and still["none"] == seen[60:].std()


def test_a_fast_hand_lags_by_less_than_half_a_frame():
    assert 0 <= late_px(straight(4, 3 * SCALE_PX)) < 3 * SCALE_PX * STEP_S / 2


@pytest.mark.parametrize("fps", [1, 5, 30, 120])
def test_it_smooths_and_follows_alike_at_any_rate_of_images(fps):
    out = smoothed(Smoother(), noise(200), step_s=1 / fps)[20:]
    assert out.std() < 0.9 * noise(200).std()
    if fps > 1:
        late_s = late_px(straight(4, SCALE_PX / 2, fps), fps) / (SCALE_PX / 2)
        assert abs(late_s) < min(0.01, 0.2 / fps)


def test_near_and_far_people_are_smoothed_alike_and_in_all_directions():
    points, turn = noise(40) - 100, np.array([[0.6, -0.8], [0.8, 0.6]])
    far = smoothed(Smoother(), points)
    near = smoothed(Smoother(), points * 4, scale_px=4 * SCALE_PX)
    np.testing.assert_allclose(near, 4 * far, atol=1e-9)
    np.testing.assert_allclose(smoothed(Smoother(), points @ turn.T), far @ turn.T, atol=1e-9)


def test_a_time_of_zero_is_a_time_and_a_reset_equals_a_new_filter():
    used = Smoother()
    smoothed(used, noise(50, seed=1) * 3, start_s=1000.0)
    used.reset()
    from_zero = smoothed(used, noise(30))
    np.testing.assert_array_equal(from_zero, smoothed(Smoother(), noise(30)))
    np.testing.assert_allclose(from_zero, smoothed(Smoother(), noise(30), 64.0), atol=1e-6)
    assert not np.allclose(from_zero[1], noise(30)[1])


def test_a_repeated_time_changes_nothing_and_divides_by_nothing():
    smoother = Smoother()
    smoother.apply(1.0, people([[10.0, 10.0]]))
    with np.errstate(all="raise"):
        again = smoother.apply(1.0, people([[14.0, 10.0]]))
    np.testing.assert_array_equal(again.keypoints_xy[0, 0], [10.0, 10.0])
    moved = smoother.apply(1.0 + STEP_S, people([[14.0, 10.0]])).keypoints_xy[0, 0, 0]
    assert 10.0 < moved < 14.0


@pytest.mark.parametrize("then_s", [110.0, 0.0], ids=["after a long gap", "when time runs back"])
def test_the_person_starts_anew(then_s):
    smoother = Smoother()
    smoothed(smoother, [[10.0, 10.0]] * 5, start_s=100.0)
    back = smoother.apply(then_s, people([[90.0, 10.0]]))
    np.testing.assert_array_equal(back.keypoints_xy[0, 0], [90.0, 10.0])


def test_people_are_told_apart_by_id_not_by_row_and_nobody_is_forgotten_in_an_empty_frame():
    smoother = Smoother()
    smoother.apply(0.0, people([[10.0, 10.0], [300.0, 10.0]], ids=(1, 2)))
    assert len(smoother.apply(0.01, Poses.empty())) == 0
    three = people([[300.0, 10.0], [10.0, 10.0], [12.0, 10.0]], ids=(2, 1, 3))
    swapped = smoother.apply(STEP_S, three)
    np.testing.assert_allclose(swapped.keypoints_xy[:, 0, 0], [300.0, 10.0, 12.0], atol=1e-9)


def test_people_who_are_not_followed_and_none_pass_untouched():
    np.testing.assert_array_equal(smoothed(Smoother(), noise(5), ids=(0,)), noise(5))
    assert Smoother("none").apply(0.0, NOWHERE) is NOWHERE


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"still, balanced, fast, none, got 'kalman'"):
        Smoother("kalman")
    with pytest.raises(ValueError, match="finite seconds"):
        Smoother().apply(float("nan"), Poses.empty())


def vanishing(smoother, missing_frames):
    """Five frames at (50, 60), then missing ones: what comes out for those."""
    smoothed(smoother, [[50.0, 60.0]] * 5)
    return [smoother.apply(i * STEP_S, NOWHERE) for i in range(5, 5 + missing_frames)]


def test_a_keypoint_that_vanishes_fades_in_place_and_is_then_nan():
    poses = vanishing(Smoother(), 12)
    xy = np.array([one.keypoints_xy[0, 0] for one in poses])
    scores = np.array([0.8, *(one.keypoint_scores[0, 0] for one in poses)])
    np.testing.assert_allclose(xy[:5], np.tile([50.0, 60.0], (5, 1)), atol=1e-9)
    assert np.all(np.diff(scores[:6]) < 0) and np.all(scores[:6] > 0)
    assert np.isnan(xy[6:]).all() and np.all(scores[7:] == 0)
    assert np.isnan([one.covariance_px2 for one in poses]).all()
    words = [KeypointState(one.keypoint_states[0, 0]).word for one in poses]
    assert words[:5] == ["predicted"] * 5 and words[6:] == ["missing"] * 6


@pytest.mark.parametrize(
    ("missing", "x", "anew"),
    [(2, 150.0, True), (2, 54.0, False), (10, 52.0, True)],
    ids=["far away", "near", "faded away"],
)
def test_a_keypoint_that_reappears_goes_on_or_starts_there(missing, x, anew):
    smoother = Smoother()
    vanishing(smoother, missing)
    back = smoother.apply((5 + missing) * STEP_S, people([[x, 60.0]])).keypoints_xy[0, 0, 0]
    assert back == x if anew else 50.0 < back < x


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


@settings(max_examples=20, deadline=None)
@given(steps_s=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20), seed=st.integers(0, 2**16))
@example(steps_s=[0.0, 5e-324], seed=459)
def test_whatever_the_times_a_keypoint_stays_near_what_was_seen(steps_s, seed):
    rng, smoother = np.random.default_rng(seed), Smoother()
    for now_s in np.cumsum(steps_s):
        seen = NOWHERE if rng.random() < 0.3 else people(rng.uniform(-50, 50, (1, 2)))
        out = smoother.apply(now_s, seen)
        assert np.all((out.keypoint_scores > 0) == np.isfinite(out.keypoints_xy).all(axis=2))
        assert not np.any(np.abs(out.keypoints_xy) >= 150)


def test_a_lead_hands_out_where_a_moving_keypoint_will_be_and_leaves_a_still_one_alone():
    def ahead(speed_px_s):
        smoother = Smoother()
        smoother.lead_s = 0.04
        path = straight(1, speed_px_s)
        return smoothed(smoother, path)[-1, 0] - smoothed(Smoother(), path)[-1, 0]

    assert 4.0 < ahead(180) < 7.2
    assert ahead(0) == pytest.approx(0.0, abs=1e-6)


def test_whoever_is_not_looked_at_goes_on_walking_and_nothing_is_learned():
    smoother, path = Smoother(), straight(3, 60)
    smoothed(smoother, path)
    ahead = [
        smoother.propagate(3.0 + wait_s, people([[0.0, 0.0]]), np.zeros(1, dtype=bool))
        for wait_s in (0.2, STEP_S, STEP_S)
    ]
    np.testing.assert_allclose(ahead[1].keypoints_xy[..., 0], path[-1, 0] + 60 * STEP_S, atol=0.5)
    np.testing.assert_array_equal(ahead[1].keypoints_xy, ahead[2].keypoints_xy)
    assert (ahead[0].keypoint_states == KeypointState.PROPAGATED).all()
    assert (ahead[0].sigma_px > ahead[1].sigma_px).all()
    np.testing.assert_allclose(ahead[1].keypoint_scores, 0.8)


def test_a_prediction_that_is_overdue_says_so_and_strangers_have_none():
    smoother = Smoother()
    smoothed(smoother, straight(1, 60))
    two = people([[0.0, 0.0], [0.0, 0.0]], ids=(1, 7))
    found = smoother.propagate(1.1, two, np.ones(2, dtype=bool))
    assert found.track_ids.tolist() == [1]
    assert (found.keypoint_states == KeypointState.PREDICTED).all()
    assert np.isnan(found.covariance_px2).all()
