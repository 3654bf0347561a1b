"""Angles: Sports2D's conventions, unwrapping, uncertainty, gaps."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from results.people import INDEX, JOINTS, STANDING_XY, bent, but, people

from livepose.poses import KeypointState, Poses
from livepose.results.angles import NAMES, PERIODS_DEG, AngleMeter, draw_angles, measure

SPORTS2D = json.loads((Path(__file__).parent / "sports2d_angles.json").read_text())


def shanks(meter: AngleMeter, *people: Poses) -> list[float]:
    """The left shank's angle in one frame after the other."""
    return [meter(one).degrees[0, NAMES.index("left_shank")] for one in people]


def test_angles_are_those_that_sports2d_finds_in_the_same_points():
    assert SPORTS2D["names"] == list(NAMES)
    found = measure(people(SPORTS2D["keypoints_xy"])).degrees
    apart = np.abs(found - SPORTS2D["degrees"])
    np.testing.assert_allclose(np.minimum(apart, PERIODS_DEG - apart), 0.0, atol=1e-4)


def test_an_angle_does_not_jump_nor_after_a_gap_while_a_person_is_followed():
    turns, meter = np.arange(0, 720, 15.0), AngleMeter()
    seen = shanks(meter, *(people(bent(turn), ids=[4]) for turn in turns))
    np.testing.assert_allclose(seen, -90 - turns, atol=1e-9)
    assert shanks(meter, people(bent(turns[-1]), ids=[5])) == pytest.approx([-75.0])  # a new id
    meter(people([STANDING_XY] * 1000, ids=np.arange(10, 1010)))
    assert shanks(meter, people(bent(turns[-1]), ids=[4])) == pytest.approx([-75.0])  # long gone
    gap = bent(80), bent(95), but(left_ankle=None), bent(110)
    seen = shanks(AngleMeter(), *map(people, gap))
    np.testing.assert_allclose(seen, [-170, -185, np.nan, -200])
    nobody_in_particular = (people(bent(turn), ids=[0]) for turn in (80, 110))
    np.testing.assert_allclose(shanks(meter, *nobody_in_particular), [-170, 160])


@pytest.mark.parametrize("name", ["left_knee", "trunk"])
def test_sigma_is_the_spread_that_a_monte_carlo_finds(name):
    rng, column = np.random.default_rng(5), NAMES.index(name)
    factors = rng.normal(size=(JOINTS, 2, 2))
    covariance = factors @ factors.transpose(0, 2, 1) + 0.2 * np.eye(2)
    poses = people(STANDING_XY + rng.normal(0, 8, (JOINTS, 2)))
    told = measure(replace(poses, covariance_px2=covariance[None]))
    draws = rng.normal(size=(10_000, JOINTS, 2))
    noise = np.einsum("kxy,nky->nkx", np.linalg.cholesky(covariance), draws)
    found = measure(people(poses.keypoints_xy + noise)).degrees[:, column]
    period = PERIODS_DEG[column]
    around = (found - told.degrees[0, column] + period / 2) % period - period / 2
    # 10,000 draws know a deviation to 0.7 percent; the rest is what first order leaves out.
    assert told.sigma_deg[0, column] == pytest.approx(around.std(), rel=0.03)


def test_there_is_no_angle_where_a_joint_is_missing_or_predicted():
    states = np.full((1, JOINTS), KeypointState.SEEN, np.uint8)
    states[0, INDEX["left_ankle"]] = KeypointState.PREDICTED
    for poses in (people(but(left_ankle=None)), people(STANDING_XY, keypoint_states=states)):
        (record,) = measure(poses).to_json()
        angles = zip(NAMES, json.loads(f"{{{record}}}")["angles"], strict=True)
        assert [name for name, one in angles if one is None] == ["left_knee", "left_shank"]


def test_drawn_degrees_are_within_half_a_turn():
    person = people(bent(40))
    angles, blank_bgr = measure(person), np.full((480, 640, 3), 90, np.uint8)
    wound = replace(angles, degrees=angles.degrees - 360)
    drawn, again = (draw_angles(blank_bgr.copy(), person, one) for one in (angles, wound))
    assert (drawn != blank_bgr).any() and (drawn == again).all()
