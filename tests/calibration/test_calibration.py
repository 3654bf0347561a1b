"""From the shape and height of a peak to the error that it means."""

import numpy as np
import pytest

from livepose.calibration.uncertainty import SHAPE, SHARES, Sightings, calibrate, crossed
from livepose.errors import WeightsError
from livepose.weights import Card
from livepose.weights.calibration import (
    RADII,
    Calibration,
    calibration_of,
    read_calibrations,
    written,
)
from studies.reliability import by_shape, judge

JOINTS = 17
TRUE = Calibration(tuple(np.linspace(-0.5, 0.3, JOINTS)), shape=SHAPE, height=-0.8, flat=0.4)


def invented(count=6000):
    """Errors that really are as large as ``TRUE`` says, with tails as heavy as real ones have."""
    random, everybody = np.random.default_rng(0), np.arange(count)
    joint = random.integers(0, JOINTS, count)
    drawn, score = random.uniform(1.0, 3.0, count), random.uniform(0.1, 0.95, count)
    covariance = drawn[:, None, None] ** 2 * np.eye(2)
    covariance[::25] = np.nan
    whole = np.repeat(covariance[:, None], JOINTS, axis=1)
    sized = TRUE.apply(whole, np.repeat(score[:, None], JOINTS, axis=1))[everybody, joint]
    plain = random.normal(0, 1, (count, 2))
    heavy = np.log2(RADII[1] / RADII[0]) - 1
    scaled = RADII[0] * plain * np.hypot(*plain.T)[:, None] ** heavy
    return Sightings(
        joint=joint,
        image=random.integers(0, 100, count),
        error=scaled * np.sqrt(sized[:, :1, 0]),
        reach=np.full(count, 1000.0),
        covariance=covariance,
        score=score,
        hidden=random.random(count) < 0.3,
    )


def test_the_numbers_behind_invented_errors_are_found_again():
    found = calibrate(invented(), JOINTS)
    np.testing.assert_allclose(found.intercept, TRUE.intercept, atol=0.15)
    assert found.shape == SHAPE
    assert found.height == pytest.approx(TRUE.height, abs=0.06)
    assert found.flat == pytest.approx(TRUE.flat, abs=0.15)


def test_the_chosen_model_is_calibrated_on_images_that_it_has_not_seen():
    seen = invented()
    ours = judge(crossed(seen, JOINTS), seen, draws=20)
    shape = judge(by_shape(seen), seen, draws=20)
    assert ours.within == pytest.approx(SHARES, abs=0.03)
    assert ours.likelihood < shape.likelihood and ours.rank_low > shape.rank_high
    assert ours.rank_low < ours.rank < ours.rank_high


def test_keypoints_that_are_on_something_else_do_not_widen_the_others_ellipses():
    seen = invented()
    lost = np.random.default_rng(5).random(len(seen.joint)) < 0.15
    error = np.where(lost[:, None], 600.0, seen.error)  # of a body of 1000 px
    wild = seen._replace(error=error)
    calibrated = judge(crossed(wild, JOINTS), wild, draws=20)
    assert calibrated.within == pytest.approx(SHARES, abs=0.03)


def test_a_covariance_keeps_its_shape_and_gets_the_size_of_the_error():
    covariance = np.tile(np.diag([4.0, 1.0]), (1, JOINTS, 1, 1))
    covariance[0, 1] = np.nan
    scores = np.full((1, JOINTS), 0.5)
    scores[0, 2] = 0.0
    sized = TRUE.apply(covariance, scores)
    assert sized[0, 0, 0, 0] / sized[0, 0, 1, 1] == pytest.approx(4.0)
    log = TRUE.intercept[0] + SHAPE * np.log(2.5) / 2 + TRUE.height * np.log(0.5)
    assert np.trace(sized[0, 0]) / 2 == pytest.approx(np.exp(2 * log))
    log = TRUE.intercept[1] + TRUE.height * np.log(0.5) + TRUE.flat
    np.testing.assert_allclose(sized[0, 1], np.exp(2 * log) * np.eye(2))  # flat: round
    assert np.isnan(sized[0, 2]).all()


def test_a_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "calibration.toml"
    path.write_text(written({"abc": TRUE, "default": TRUE}), encoding="utf-8")
    again = read_calibrations(path)
    assert list(again) == ["abc", "default"]
    np.testing.assert_allclose(again["abc"].intercept, TRUE.intercept, atol=1e-4)
    path.write_text("[abc]\nintercept = 3\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="livepose calibrate"):
        read_calibrations(path)


def test_the_embedded_weights_are_calibrated_and_others_take_the_same_where_it_fits():
    coco = Card(network="hrnet_w32", input_hw=(128, 96), sha256="unknown")
    found = calibration_of(coco)
    assert found is not None and found.height < 0
    mpii = Card(network="hrnet_w32", input_hw=(256, 256), skeleton="mpii16", keypoints=16)
    assert calibration_of(mpii) is None
