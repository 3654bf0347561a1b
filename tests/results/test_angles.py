"""Angles: Sports2D's conventions, unwrapping, uncertainty, gaps."""

import json
from pathlib import Path

import numpy as np
import pytest
from results.people import INDEX, JOINTS, STANDING_XY, bent, people

from livepose.poses import KeypointState, Poses
from livepose.results.angles import (
    LARGEST_SIGMA_DEG,
    NAMES,
    PERIODS_DEG,
    AngleMeter,
    measure,
)
from livepose.skeletons import MPII16, Skeleton

SPORTS2D = json.loads((Path(__file__).parent / "sports2d_angles.json").read_text())


def angle(poses: Poses, name: str) -> float:
    return float(measure(poses).degrees[0, NAMES.index(name)])


def sigma(poses: Poses, name: str) -> float:
    return float(measure(poses).sigma_deg[0, NAMES.index(name)])


def angles_json(poses: Poses) -> list:
    return json.loads("{" + measure(poses).to_json()[0] + "}")["angles"]


def test_angles_are_those_that_sports2d_finds_in_the_same_points() -> None:
    assert SPORTS2D["names"] == list(NAMES)
    found = measure(people(SPORTS2D["keypoints_xy"])).degrees
    apart = np.abs(found - SPORTS2D["degrees"])
    np.testing.assert_allclose(np.minimum(apart, PERIODS_DEG - apart), 0.0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("left_knee", 0.0), ("right_shank", -90.0), ("left_thigh", -90.0), ("trunk", 90.0)),
        *(("pelvis", 0.0), ("shoulders", 0.0), ("left_hip", 0.0), ("right_hip", 0.0)),
    ],
)
def test_somebody_who_stands_upright(name: str, expected: float) -> None:
    assert angle(people(STANDING_XY), name) == pytest.approx(expected, abs=1e-9)


def test_the_elbow_bends_and_the_raised_arm_is_aligned_with_the_trunk_at_180() -> None:
    straight = angle(people(STANDING_XY), "right_elbow")
    assert angle(people(bent("right_elbow", "right_wrist", -40)), "right_elbow") == pytest.approx(
        straight + 40
    )
    raised = STANDING_XY.copy()
    raised[INDEX["left_elbow"]] = raised[INDEX["left_shoulder"]] - (0, 60)
    assert abs(angle(people(raised), "left_shoulder")) == pytest.approx(180.0)


def test_an_angle_does_not_jump_while_a_person_is_followed_and_starts_anew_with_a_new_id() -> None:
    turns = np.arange(0, 720, 15.0)
    meter, column = AngleMeter(), NAMES.index("left_shank")
    seen = [
        meter(people(bent("left_knee", "left_ankle", turn), ids=[4])).degrees[0, column]
        for turn in turns
    ]
    np.testing.assert_allclose(seen, -90 - turns, atol=1e-9)
    last = people(bent("left_knee", "left_ankle", turns[-1]), ids=[5])
    assert meter(last).degrees[0, column] == pytest.approx(-75.0)


def test_an_angle_goes_on_after_a_gap_where_it_was() -> None:
    meter, column = AngleMeter(), NAMES.index("left_shank")
    hidden = bent("left_knee", "left_ankle", 100)
    hidden[INDEX["left_ankle"]] = np.nan
    for turn in (80, 95):
        meter(people(bent("left_knee", "left_ankle", turn)))
    assert np.isnan(meter(people(hidden)).degrees[0, column])
    again = meter(people(bent("left_knee", "left_ankle", 110))).degrees[0, column]
    assert again == pytest.approx(-200.0)


def test_people_of_still_pictures_are_measured_each_for_themselves() -> None:
    meter, column = AngleMeter(), NAMES.index("left_shank")
    meter(people(bent("left_knee", "left_ankle", 80), ids=[0]))
    alone = meter(people(bent("left_knee", "left_ankle", 110), ids=[0])).degrees[0, column]
    assert alone == pytest.approx(160.0)


@pytest.mark.parametrize("name", NAMES)
def test_sigma_is_the_spread_that_a_monte_carlo_finds(name: str) -> None:
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(JOINTS, 2, 2))
    covariance = factors @ factors.transpose(0, 2, 1) + 0.2 * np.eye(2)
    poses = people(STANDING_XY + rng.normal(0, 8, (JOINTS, 2)))
    object.__setattr__(poses, "covariance_px2", covariance[None])
    draws = 20_000
    noise = np.einsum(
        "kxy,nky->nkx", np.linalg.cholesky(covariance), rng.normal(size=(draws, 17, 2))
    )
    column = NAMES.index(name)
    found = measure(people(poses.keypoints_xy + noise)).degrees[:, column]
    period = PERIODS_DEG[column]
    around = (found - angle(poses, name) + period / 2) % period - period / 2
    # 20,000 draws know a deviation to half a percent; the rest is what first order leaves out.
    assert sigma(poses, name) == pytest.approx(around.std(), rel=0.03)


def test_an_angle_about_which_nothing_is_known_has_the_spread_of_any_angle() -> None:
    assert sigma(people(STANDING_XY, sigma_px=1e5), "left_knee") == LARGEST_SIGMA_DEG


def test_there_is_no_angle_where_a_joint_is_missing_or_predicted() -> None:
    ankle = INDEX["left_ankle"]
    gone = STANDING_XY.copy()
    gone[ankle] = np.nan
    states = np.full((1, JOINTS), KeypointState.SEEN)
    states[0, ankle] = KeypointState.PREDICTED
    for poses in (people(gone), people(STANDING_XY, states=states)):
        absent = {name for name in NAMES if np.isnan(angle(poses, name))}
        assert absent == {"left_knee", "left_shank"}
        record = angles_json(poses)
        assert record[NAMES.index("left_knee")] is None
        assert record[NAMES.index("right_knee")] is not None


def test_where_only_the_covariance_is_unknown_there_is_an_angle_without_sigma() -> None:
    poses = people(STANDING_XY)
    poses.covariance_px2[0, INDEX["left_hip"]] = np.nan
    value, spread = angles_json(poses)[NAMES.index("left_knee")]
    assert value == pytest.approx(0.0)
    assert spread is None
    assert np.isfinite(sigma(poses, "right_knee"))


def test_two_keypoints_on_one_spot_have_no_direction() -> None:
    xy = STANDING_XY.copy()
    xy[INDEX["left_ankle"]] = xy[INDEX["left_knee"]]
    assert np.isnan(angle(people(xy), "left_knee"))
    assert np.isfinite(angle(people(xy), "left_thigh"))


def test_other_skeletons_have_the_angles_whose_keypoints_they_know() -> None:
    arm = Skeleton("arm", ("left_shoulder", "left_elbow", "left_wrist"), ((0, 1), (1, 2)), ())
    poses = Poses(
        keypoints_xy=np.array([[[0.0, 0.0], [10.0, 0.0], [10.0, -10.0]]]),
        keypoint_scores=np.ones((1, 3)),
        boxes_xyxy=np.zeros((1, 4)),
        scores=np.ones(1),
        track_ids=np.ones(1, np.int64),
        covariance_px2=np.tile(np.eye(2), (1, 3, 1, 1)),
        skeleton=arm,
    )
    known = {name for name in NAMES if np.isfinite(angle(poses, name))}
    assert known == {"left_elbow", "left_arm", "left_forearm"}
    assert angle(poses, "left_elbow") == pytest.approx(90.0)
    empty = Poses.empty(MPII16)
    assert measure(empty).degrees.shape == (0, len(NAMES))
