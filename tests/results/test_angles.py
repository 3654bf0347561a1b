"""Angles: Sports2D's conventions, unwrapping, uncertainty, gaps."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from results.people import INDEX, JOINTS, STANDING_XY, bent, people

from livepose.poses import KeypointState, Poses
from livepose.results.angles import NAMES, PERIODS_DEG, AngleMeter, measure

SPORTS2D = json.loads((Path(__file__).parent / "sports2d_angles.json").read_text())
SHANK = NAMES.index("left_shank")


def angle(poses: Poses, name: str) -> float:
    return float(measure(poses).degrees[0, NAMES.index(name)])


def sigma(poses: Poses, name: str) -> float:
    return float(measure(poses).sigma_deg[0, NAMES.index(name)])


def turned(degrees: float, track_id: int = 1) -> Poses:
    """Standing, but for the left shank."""
    return people(bent("left_knee", "left_ankle", degrees), ids=[track_id])


def moved_to(**places: tuple[float, float]) -> Poses:
    """Standing, but for some keypoints."""
    xy = STANDING_XY.copy()
    for name, place in places.items():
        xy[INDEX[name]] = place
    return people(xy)


def test_angles_are_those_that_sports2d_finds_in_the_same_points() -> None:
    assert SPORTS2D["names"] == list(NAMES)
    found = measure(people(SPORTS2D["keypoints_xy"])).degrees
    apart = np.abs(found - SPORTS2D["degrees"])
    np.testing.assert_allclose(np.minimum(apart, PERIODS_DEG - apart), 0.0, atol=1e-4)


def test_an_angle_does_not_jump_while_a_person_is_followed_and_starts_anew_with_a_new_id() -> None:
    turns, meter = np.arange(0, 720, 15.0), AngleMeter()
    seen = [meter(turned(turn, 4)).degrees[0, SHANK] for turn in turns]
    np.testing.assert_allclose(seen, -90 - turns, atol=1e-9)
    assert meter(turned(turns[-1], 5)).degrees[0, SHANK] == pytest.approx(-75.0)


def test_an_angle_goes_on_after_a_gap_where_it_was_and_without_an_id_does_not() -> None:
    meter = AngleMeter()
    gone = moved_to(left_ankle=(np.nan, np.nan))
    seen = [meter(one).degrees[0, SHANK] for one in (turned(80), turned(95), gone, turned(110))]
    np.testing.assert_allclose(seen, [-170, -185, np.nan, -200])
    alone = [meter(turned(turn, 0)).degrees[0, SHANK] for turn in (80, 110)]
    np.testing.assert_allclose(alone, [-170, 160])


@pytest.mark.parametrize("name", ["left_knee", "trunk"])
def test_sigma_is_the_spread_that_a_monte_carlo_finds(name: str) -> None:
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(JOINTS, 2, 2))
    covariance = factors @ factors.transpose(0, 2, 1) + 0.2 * np.eye(2)
    poses = people(STANDING_XY + rng.normal(0, 8, (JOINTS, 2)))
    poses = replace(poses, covariance_px2=covariance[None])
    draws = rng.normal(size=(10_000, JOINTS, 2))
    noise = np.einsum("kxy,nky->nkx", np.linalg.cholesky(covariance), draws)
    column = NAMES.index(name)
    found = measure(people(poses.keypoints_xy + noise)).degrees[:, column]
    period = PERIODS_DEG[column]
    around = (found - angle(poses, name) + period / 2) % period - period / 2
    # 10,000 draws know a deviation to 0.7 percent; the rest is what first order leaves out.
    assert sigma(poses, name) == pytest.approx(around.std(), rel=0.03)


def test_there_is_no_angle_where_a_joint_is_missing_or_predicted() -> None:
    states = np.full((1, JOINTS), KeypointState.SEEN)
    states[0, INDEX["left_ankle"]] = KeypointState.PREDICTED
    for poses in (moved_to(left_ankle=(np.nan, np.nan)), people(STANDING_XY, states=states)):
        absent = {name for name in NAMES if np.isnan(angle(poses, name))}
        assert absent == {"left_knee", "left_shank"}
        record = json.loads("{" + measure(poses).to_json()[0] + "}")["angles"]
        assert [name for name, one in zip(NAMES, record, strict=True) if one is None] == [
            "left_knee", "left_shank"
        ]  # fmt: skip
