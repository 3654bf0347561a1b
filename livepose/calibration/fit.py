"""Finds the numbers of a calibration, and says how well predicted errors fit real ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr

from livepose.calibration.collect import Sightings
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


@dataclass(frozen=True)
class Model:
    """A way to predict log sigma: columns (N, M) of a linear form, and what is added to it."""

    columns: Callable[[Sightings, int], Floats]
    offset: Callable[[Sightings], Floats]

    def fitted(self, seen: Sightings, joints: int) -> Floats:
        """Weights (M,) of the greatest likelihood: errors are normal, x and y alike.

        What is lost is left out, and the size is set so that one and two sigma hold what they
        should, as nearly as both can: tails are heavier than normal.
        """
        seen = seen.select(is_near(seen))
        columns, offset, squared = (
            self.columns(seen, joints),
            self.offset(seen),
            squared_error(seen),
        )

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

    def predicted(self, seen: Sightings, weights: Floats, joints: int) -> Floats:
        """Sigma (N,) in heatmap px."""
        return np.asarray(np.exp(self.offset(seen) + self.columns(seen, joints) @ weights))


def _joints(seen: Sightings, joints: int) -> Floats:
    return np.asarray(np.eye(joints)[seen.joint])


def _ones(seen: Sightings, joints: int) -> Floats:
    return np.ones((len(seen.joint), 1))


def _features(seen: Sightings, *names: str) -> Floats:
    flat = ~(seen.covariance[:, 0, 0] + seen.covariance[:, 1, 1] > 0)
    known = {
        "shape": np.where(flat, 0.0, np.log(drawn_sigma(seen))),
        "height": np.log(np.clip(seen.score, LEAST_SCORE, None)),
        "flat": flat.astype(np.float64),
        "mass": np.log(np.maximum(seen.mass, 1.0)),
    }
    return np.stack([known[name] for name in names], axis=1)


def _with(*names: str) -> Callable[[Sightings, int], Floats]:
    return lambda seen, joints: np.hstack([_joints(seen, joints), _features(seen, *names)])


def _part_of_shape(seen: Sightings) -> Floats:
    return SHAPE * _features(seen, "shape")[:, 0]


def _nothing(seen: Sightings) -> Floats:
    return np.zeros(len(seen.joint))


def _log_drawn(seen: Sightings) -> Floats:
    return np.asarray(np.log(drawn_sigma(seen)))


CHOSEN = "shape and score"
MODELS = {
    "shape, one factor": Model(_ones, _log_drawn),
    "shape, a factor a keypoint": Model(_joints, _log_drawn),
    "a constant a keypoint": Model(_joints, _nothing),
    "score": Model(_with("height"), _nothing),
    CHOSEN: Model(_with("height", "flat"), _part_of_shape),
    "shape to any power, and score": Model(_with("shape", "height", "flat"), _nothing),
    "shape, score and mass": Model(_with("shape", "height", "flat", "mass"), _nothing),
}
"""What was tried; each has a constant a keypoint, but for the first."""


def calibrate(seen: Sightings, joints: int) -> Calibration:
    """The numbers of the chosen model."""
    weights = MODELS[CHOSEN].fitted(seen, joints)
    intercept = tuple(float(value) for value in weights[:joints])
    height, flat = (float(value) for value in weights[joints:])
    return Calibration(intercept, SHAPE, height, flat)


def crossed(model: Model, seen: Sightings, joints: int) -> Floats:
    """Sigma (N,) of each half of the pictures as fitted on the other; fitted on sharp ones."""
    even = np.isin(seen.picture, np.unique(seen.picture)[::2])
    sigma = np.empty(len(seen.joint))
    for half in (even, ~even):
        weights = model.fitted(seen.select(half & ~seen.blurred), joints)
        sigma[~half] = model.predicted(seen, weights, joints)[~half]
    return sigma


@dataclass(frozen=True)
class Fit:
    """How well predicted errors fit real ones."""

    likelihood: float
    """Mean negative log-likelihood of a keypoint in nats: lower is better."""
    rank: float
    """Spearman's correlation of predicted sigma and real distance."""
    rank_low: float
    rank_high: float
    """Its 95 % bootstrap interval over pictures."""
    within: tuple[float, float]
    """Shares of what is not lost within the drawn ellipses; ``SHARES`` is right."""
    count: int


def judge(sigma: Floats, seen: Sightings, draws: int = DRAWS) -> Fit:
    """Predictions (N,) against what happened."""
    squared = squared_error(seen)
    distance, scaled = np.sqrt(squared), squared / 2 / sigma**2
    low, high = np.percentile(_ranks(sigma, distance, seen.picture, draws), [2.5, 97.5])
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


def _ranks(sigma: Floats, distance: Floats, picture: NDArray[np.int64], draws: int) -> list[float]:
    random = np.random.default_rng(SEED)
    rows = [np.flatnonzero(picture == one) for one in np.unique(picture)]
    ranks = []
    for _ in range(draws):
        chosen = np.concatenate([rows[i] for i in random.integers(0, len(rows), len(rows))])
        ranks.append(float(spearmanr(sigma[chosen], distance[chosen]).statistic))
    return ranks
