"""Bootstrap intervals: the same every time, paired where pairs are compared."""

import numpy as np
import pytest

from livepose.evaluation.bootstrap import (
    Interval,
    draws,
    percentile_interval,
)
from livepose.evaluation.metrics import Pck


def test_every_draw_has_as_many_pictures_as_there_are() -> None:
    drawn = draws(7, 50)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert np.array_equal(drawn, draws(7, 50))


def share_of(hits: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Percent of people (P, 1) of these pictures who are hits, in every draw."""
    everybody = np.arange(len(hits))
    pck = Pck(hits, np.ones_like(hits), everybody, {}, np.ones(1, bool))
    return pck.resampled(draws(int(picture.max()) + 1)[:, picture])["mean"]


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    hits = np.zeros((400, 1), bool)
    hits[:100] = True
    samples = share_of(hits, np.arange(400))
    interval = percentile_interval(samples)
    spread = 100 * 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert interval.low == pytest.approx(25 - spread, abs=0.7)
    assert interval.high == pytest.approx(25 + spread, abs=0.7)


def test_people_of_one_picture_are_drawn_together() -> None:
    hits = np.repeat([[True], [False]], 50, axis=0)
    samples = share_of(hits, np.repeat([0, 1], 50))
    assert set(np.unique(samples)) == {0.0, 50.0, 100.0}


def test_a_small_but_steady_difference_is_told_apart_only_in_pairs() -> None:
    noise = np.random.default_rng(0).normal(60, 5, 1000)
    assert percentile_interval(noise + 1 - noise).excludes_zero
    assert not percentile_interval(noise - 60).excludes_zero


def test_nothing_to_draw_from_is_not_a_number() -> None:
    interval = percentile_interval(np.full(3, np.nan))
    assert np.isnan(interval.low)
    assert not interval.excludes_zero
    assert str(Interval(61.23, 66.54)) == "[61.2, 66.5]"
