"""Finds the numbers of a calibration, and says how well predicted errors fit real ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr

from livepose.weights.calibration import LEAST_SCORE, RADII, Calibration

Floats = NDArray[np.float64]

LOST = 0.25
"""Body scales: a keypoint farther off is on something else; no ellipse is meant to hold it."""
SHARES = (0.3935, 0.8647)
"""Of errors of two dimensions, those that the drawn ellipses of one and two sigma shall hold."""
SHAPE = 1 / 3
"""Power to which the heatmap's own deviation enters. Left free it comes out negative (a peak of
noise is narrow), which fits sharp pictures a little better, blurred ones worse, and says the
opposite of how much a keypoint trembles."""
RIDGE = 1e-5
DRAWS = 500
SEED = 20230814


@dataclass(frozen=True)
class Sightings:
    """N labelled keypoints, in heatmap pixels: ``error`` (N, 2), found minus labelled; ``reach``
    (N,), body scale: root of the box area; ``covariance`` (N, 2, 2) of the heatmap's shape, NaN
    where it has none.
    """

    joint: NDArray[np.int64]
    picture: NDArray[np.int64]
    error: Floats
    reach: Floats
    covariance: Floats
    score: Floats
    hidden: NDArray[np.bool_]
    blurred: NDArray[np.bool_]

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Sightings":
        """Those where this mask is true, or at these indices."""
        return Sightings(*(column[which] for column in self.columns()))

    def columns(self) -> list[NDArray[Any]]:
        """Every field, in order."""
        return [getattr(self, name) for name in self.__dataclass_fields__]


def joined(parts: Sequence[Sightings]) -> Sightings:
    """All of them, in order."""
    columns = zip(*(one.columns() for one in parts), strict=True)
    return Sightings(*(np.concatenate(column) for column in columns))


def squared_error(seen: Sightings) -> Floats:
    """Squared distance between found and labelled, (N,), heatmap px²; capped at ``LOST``."""
    distance = np.hypot(*seen.error.T)
    return np.square(np.minimum(distance, LOST * seen.reach))


def is_near(seen: Sightings) -> NDArray[np.bool_]:
    """Who is not ``LOST``, (N,)."""
    return np.asarray(np.hypot(*seen.error.T) <= LOST * seen.reach)


def drawn_sigma(seen: Sightings) -> Floats:
    """What the heatmap's shape alone says, (N,); its median where it says nothing."""
    variance = (seen.covariance[:, 0, 0] + seen.covariance[:, 1, 1]) / 2
    sigma = np.sqrt(np.where(variance > 0, variance, np.nan))
    return np.where(np.isfinite(sigma), sigma, np.nanmedian(sigma))


def _terms(seen: Sightings, joints: int) -> tuple[Floats, Floats]:
    """Log sigma: columns (N, M) whose weights are fitted, and what is added to them, (N,)."""
    flat = ~(seen.covariance[:, 0, 0] + seen.covariance[:, 1, 1] > 0)
    height = np.log(np.clip(seen.score, LEAST_SCORE, None))
    columns = np.column_stack([np.eye(joints)[seen.joint], height, flat])
    return columns, np.where(flat, 0.0, SHAPE * np.log(drawn_sigma(seen)))


def fitted(seen: Sightings, joints: int) -> Floats:
    """Weights (M,) of the greatest likelihood: errors are normal, x and y alike.

    What is lost is left out, and the size is set so that one and two sigma hold what they should,
    as nearly as both can: tails are heavier than normal.
    """
    near = seen.select(is_near(seen))
    (columns, offset), squared = _terms(near, joints), squared_error(near)

    def loss(weights: Floats) -> tuple[float, Floats]:
        log = offset + columns @ weights
        misfit = squared / 2 * np.exp(-2 * log)
        slope = columns.T @ (2 - 2 * misfit) / len(squared)
        value = float(np.mean(misfit + 2 * log) + RIDGE * weights @ weights)
        return value, slope + 2 * RIDGE * weights

    start = np.zeros(columns.shape[1])
    weights = np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)
    scaled = np.sqrt(squared) / np.exp(offset + columns @ weights)
    wanted = np.sqrt(-2 * np.log1p(-np.array(SHARES)))
    size = np.log(np.quantile(scaled, SHARES) / wanted).mean()
    constant = np.linalg.lstsq(columns, np.ones(len(columns)), rcond=None)[0]
    return np.asarray(weights + size * constant)


def calibrate(seen: Sightings, joints: int) -> Calibration:
    """The numbers that turn shape and score into an error."""
    *intercept, height, flat = (float(value) for value in fitted(seen, joints))
    return Calibration(tuple(intercept), SHAPE, height, flat)


def crossed(seen: Sightings, joints: int) -> Floats:
    """Sigma (N,) in heatmap px of each half of the pictures as fitted on the other; fitted on sharp
    ones.
    """
    even = np.isin(seen.picture, np.unique(seen.picture)[::2])
    columns, offset = _terms(seen, joints)
    sigma = np.empty(len(seen.joint))
    for half in (even, ~even):
        log = offset + columns @ fitted(seen.select(half & ~seen.blurred), joints)
        sigma[~half] = np.exp(log)[~half]
    return sigma


@dataclass(frozen=True)
class Fit:
    """How well predicted errors fit real ones.

    ``likelihood``: mean negative log-likelihood of a keypoint in nats, lower is better. ``rank``:
    Spearman's correlation of predicted sigma and real distance, with its 95 % bootstrap interval
    over pictures. ``within``: shares of what is not lost within the drawn ellipses; ``SHARES`` is
    right.
    """

    likelihood: float
    rank: float
    rank_low: float
    rank_high: float
    within: tuple[float, float]
    count: int


def judge(sigma: Floats, seen: Sightings, draws: int = DRAWS) -> Fit:
    """Predictions (N,) against what happened."""
    squared = squared_error(seen)
    distance, scaled = np.sqrt(squared), squared / 2 / sigma**2
    random, pictures = np.random.default_rng(SEED), np.unique(seen.picture)
    rows, ranks = [np.flatnonzero(seen.picture == one) for one in pictures], []
    for _ in range(draws):
        chosen = np.concatenate([rows[i] for i in random.integers(0, len(rows), len(rows))])
        ranks.append(float(spearmanr(sigma[chosen], distance[chosen]).statistic))
    low, high = np.percentile(ranks, [2.5, 97.5])
    return Fit(
        likelihood=float(np.mean(scaled + 2 * np.log(sigma))),
        rank=float(spearmanr(sigma, distance).statistic),
        rank_low=float(low),
        rank_high=float(high),
        within=coverage(sigma, seen),
        count=len(sigma),
    )


def coverage(sigma: Floats, seen: Sightings) -> tuple[float, float]:
    """Shares of what is not lost within the ellipses that are drawn for sigma (N,)."""
    near = is_near(seen)
    scaled = np.hypot(*seen.error.T)[near] / sigma[near]
    inner, outer = RADII
    return float(np.mean(scaled <= inner)), float(np.mean(scaled <= outer))
