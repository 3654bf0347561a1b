"""Numba kernel of the filter with three models: rest, slow and quick motion."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

_MODELS, _NUMBERS = 3, 7
_X_NOW, _Y_NOW, _VX_NOW, _VY_NOW, _PLACE, _BOTH, _SPEED = range(_NUMBERS)
_WEIGHTS = _MODELS * _NUMBERS
_LAST_S, _LAST_SCORE, _LAST_NOISE, _HELD_NOW, _ODD_X, _ODD_Y = range(
    _WEIGHTS + _MODELS, _WEIGHTS + _MODELS + 6
)
IMM_COLUMNS = _WEIGHTS + _MODELS + 6
"""State of a keypoint in ``imm_filter``. For each model: x, y, vx, vy in px and px/s, and the
variance of a place, of place with speed, and of a speed. Then the models' probabilities, the time
it was last seen (NaN: never), its score and its noise in px² then, whether it is held at present,
and the place of a measurement that was doubted (NaN: none)."""

Triple = tuple[float, float, float]


class ImmConstants(NamedTuple):
    """Constants of the filter: see ``SmoothingSettings``."""

    noise_share: float
    changes: Triple
    """Drift at rest, agility of slow and of quick motion."""
    lasts_s: Triple
    """How long rest, slow and quick motion last."""
    glide_s: float
    fade_s: float
    jump_scales: float
    top_speed: float
    gap_s: float


_START_SPEEDS = (0.0, 0.05, 1.0)
"""Deviation of the speed of a keypoint that is seen for the first time, body scales a second."""
_UNKNOWN_SIGMA = 0.055
"""Deviation of a measurement that says nothing of its own, in body scales."""
_LEAST_PROBABILITY = 1e-4
_DOUBT, _GO_ON, _ANEW = 0, 1, 2
_LEAST_SCORE = 0.2
"""Keypoints below it say nothing of whether somebody has to be looked at."""
_PROPAGATION_GLIDE_S = 0.4
"""Who only waits for a look goes on; whoever waits for long does not fly away."""


@njit(cache=True, nogil=True, error_model="numpy")
def _begin(
    state: NDArray[np.float64], x: float, y: float, noise_px2: float, scale_px: float
) -> None:
    """Every model starts at the measurement."""
    for j in range(_MODELS):
        model = state[j * _NUMBERS : (j + 1) * _NUMBERS]
        model[_X_NOW], model[_Y_NOW], model[_VX_NOW], model[_VY_NOW] = x, y, 0.0, 0.0
        model[_PLACE], model[_BOTH] = noise_px2, 0.0
        model[_SPEED] = (_START_SPEEDS[j] * scale_px) ** 2
        state[_WEIGHTS + j] = 1.0 / _MODELS


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(
    state: NDArray[np.float64], shares: NDArray[np.float64], blended: NDArray[np.float64]
) -> None:
    """Mean and covariance of the mixture of all models in these ``shares`` (3,), into (7,)."""
    blended[:] = 0.0
    for i in range(_MODELS):
        for column in range(_NUMBERS):
            blended[column] += shares[i] * state[i * _NUMBERS + column]
    for i in range(_MODELS):
        start, half = i * _NUMBERS, shares[i] / 2.0
        dx, dy = state[start] - blended[_X_NOW], state[start + 1] - blended[_Y_NOW]
        dvx, dvy = state[start + 2] - blended[_VX_NOW], state[start + 3] - blended[_VY_NOW]
        blended[_PLACE] += half * (dx * dx + dy * dy)
        blended[_BOTH] += half * (dx * dvx + dy * dvy)
        blended[_SPEED] += half * (dvx * dvx + dvy * dvy)


@njit(cache=True, nogil=True, error_model="numpy")
def _predict(model: NDArray[np.float64], j: int, dt_s: float, change_px2: float) -> None:
    """Moves a model on: rest drifts and has no speed, motion keeps its speed but for agility."""
    if j == 0:
        model[_VX_NOW] = model[_VY_NOW] = model[_BOTH] = model[_SPEED] = 0.0
        model[_PLACE] += change_px2 * dt_s
        return
    model[_X_NOW] += dt_s * model[_VX_NOW]
    model[_Y_NOW] += dt_s * model[_VY_NOW]
    model[_PLACE] += dt_s * (2 * model[_BOTH] + dt_s * (model[_SPEED] + change_px2 * dt_s / 3))
    model[_BOTH] += dt_s * (model[_SPEED] + change_px2 * dt_s / 2)
    model[_SPEED] += change_px2 * dt_s


@njit(cache=True, nogil=True, error_model="numpy")
def _correct(model: NDArray[np.float64], x: float, y: float, noise_px2: float) -> float:
    """Kalman update of one model; the logarithm of how likely the measurement was."""
    variance = model[_PLACE] + noise_px2
    miss_x, miss_y = x - model[_X_NOW], y - model[_Y_NOW]
    gain, speed_gain = model[_PLACE] / variance, model[_BOTH] / variance
    model[_X_NOW] += gain * miss_x
    model[_Y_NOW] += gain * miss_y
    model[_VX_NOW] += speed_gain * miss_x
    model[_VY_NOW] += speed_gain * miss_y
    model[_SPEED] -= speed_gain * model[_BOTH]
    model[_PLACE] *= 1.0 - gain
    model[_BOTH] *= 1.0 - gain
    return float(-0.5 * (miss_x * miss_x + miss_y * miss_y) / variance - math.log(variance))


@njit(cache=True, nogil=True, error_model="numpy")
def _step(
    state: NDArray[np.float64],
    x: float,
    y: float,
    noise_px2: float,
    dt_s: float,
    scale_px: float,
    constants: ImmConstants,
    scratch: NDArray[np.float64],
) -> None:
    """One step of the interacting multiple models, in place; ``scratch`` is (7, 7)."""
    now, shares = scratch[:_MODELS], scratch[_MODELS, :_MODELS]
    probable, likely, stays = scratch[4], scratch[5], scratch[6]
    if stays[_MODELS] != dt_s:  # the same for nearly all keypoints of a frame
        stays[_MODELS] = dt_s
        for i in range(_MODELS):
            stays[i] = math.exp(-dt_s / constants.lasts_s[i])
    for j in range(_MODELS):
        total = 0.0
        for i in range(_MODELS):
            shares[i] = state[_WEIGHTS + i] * (
                stays[i] if i == j else (1.0 - stays[i]) / (_MODELS - 1)
            )
            total += shares[i]
        for i in range(_MODELS):
            shares[i] /= total
        probable[j] = total
        _blend(state, shares, now[j])
        _predict(now[j], j, dt_s, constants.changes[j] * scale_px * scale_px)
        likely[j] = _correct(now[j], x, y, noise_px2)
    best, total = max(likely[0], likely[1], likely[2]), 0.0
    for j in range(_MODELS):
        probable[j] = max(probable[j] * math.exp(likely[j] - best), 1e-300)
        total += probable[j]
    floored = 0.0
    for j in range(_MODELS):
        probable[j] = max(probable[j] / total, _LEAST_PROBABILITY)
        floored += probable[j]
    for j in range(_MODELS):
        state[_WEIGHTS + j] = probable[j] / floored
        for column in range(_NUMBERS):
            state[j * _NUMBERS + column] = now[j, column]


@njit(cache=True, nogil=True, error_model="numpy")
def _ahead(state: NDArray[np.float64], ahead_s: float, glide_s: float) -> tuple[float, float]:
    """Where the keypoint is ``ahead_s`` after it was last seen: it glides to a halt."""
    reach_s = 0.0
    if ahead_s != 0.0 and glide_s > 0.0:
        reach_s = glide_s * (1.0 - math.exp(-ahead_s / glide_s))
    x, y = state[_X_NOW], state[_Y_NOW]  # as differences, so that agreement stays exact
    for j in range(1, _MODELS):
        start, weight = j * _NUMBERS, state[_WEIGHTS + j]
        x += weight * (state[start] - state[_X_NOW] + reach_s * state[start + 2])
        y += weight * (state[start + 1] - state[_Y_NOW] + reach_s * state[start + 3])
    return x, y


@njit(cache=True, nogil=True, error_model="numpy")
def _how(
    state: NDArray[np.float64],
    x: float,
    y: float,
    dt_s: float,
    scale_px: float,
    constants: ImmConstants,
) -> int:
    """What to do with a measurement: ``_DOUBT`` it, go on with it, or begin anew there.

    Nobody moves faster than the top speed. A measurement that asks for more is remembered, and
    taken when the next one confirms it.
    """
    if not 0.0 < dt_s <= constants.gap_s:  # also where dt_s is NaN
        return _ANEW
    expected_x, expected_y = _ahead(state, dt_s, constants.glide_s)
    off_px, reach_px = (
        math.hypot(x - expected_x, y - expected_y),
        constants.top_speed * dt_s * scale_px,
    )
    if off_px > reach_px:
        if math.hypot(x - state[_ODD_X], y - state[_ODD_Y]) <= reach_px:
            return _ANEW
        state[_ODD_X], state[_ODD_Y] = x, y
        return _DOUBT
    if state[_HELD_NOW] == 1.0 and off_px > constants.jump_scales * scale_px:
        return _ANEW
    return _GO_ON


@njit(cache=True, nogil=True, error_model="numpy")
def _take(
    state: NDArray[np.float64],
    x: float,
    y: float,
    score: float,
    noise_px2: float,
    time_s: float,
    scale_px: float,
    constants: ImmConstants,
    scratch: NDArray[np.float64],
) -> bool:
    """Takes in a measurement; False where it is doubted."""
    dt_s = time_s - state[_LAST_S]
    if dt_s == 0.0:
        return True  # a repeated time tells nothing new
    how = _how(state, x, y, dt_s, scale_px, constants)
    if how == _DOUBT:
        return False
    if how == _ANEW:
        _begin(state, x, y, noise_px2, scale_px)
    else:
        _step(state, x, y, noise_px2, dt_s, scale_px, constants, scratch)
    state[_LAST_S], state[_LAST_SCORE], state[_HELD_NOW] = time_s, score, 0.0
    state[_LAST_NOISE] = noise_px2
    state[_ODD_X] = state[_ODD_Y] = np.nan
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def imm_filter(
    xy: NDArray[np.float64],
    scores: NDArray[np.float64],
    covariance_px2: NDArray[np.float64],
    tracks: NDArray[np.void],
    slots: NDArray[np.int64],
    time_s: float,
    lead_s: float,
    states: NDArray[np.float64],
    constants: ImmConstants,
    measured: NDArray[np.bool_],
) -> None:
    """Filters ``xy`` (P, K, 2) and ``scores`` (P, K) in place, ``lead_s`` ahead of time.

    ``covariance_px2`` (P, K, 2, 2) are the measurements', NaN where unknown. ``measured`` (P, K)
    is set where a measurement was taken in. Person p has the track n = ``slots[p]`` of
    ``tracks`` (N,) and ``states`` (N, K, IMM_COLUMNS), which are kept up to date; below 0 the
    person passes untouched.
    """
    people, joints = scores.shape
    scratch = np.full((_NUMBERS, _NUMBERS), np.nan)
    for p in range(people):
        if slots[p] < 0:
            continue
        scale_px = tracks[slots[p]].scale_px
        unknown_px2 = (_UNKNOWN_SIGMA * scale_px) ** 2
        for k in range(joints):
            state = states[slots[p], k]
            x, y, score = xy[p, k, 0], xy[p, k, 1], scores[p, k]
            seen = math.isfinite(x) and math.isfinite(y) and score > 0.0
            if seen:
                variance = (covariance_px2[p, k, 0, 0] + covariance_px2[p, k, 1, 1]) / 2
                noise_px2 = constants.noise_share * (variance if variance > 0.0 else unknown_px2)
                seen = _take(state, x, y, score, noise_px2, time_s, scale_px, constants, scratch)
            measured[p, k] = seen
            gone_s = time_s - state[_LAST_S]
            if not seen:
                if not 0.0 <= gone_s < constants.fade_s:
                    state[_LAST_S] = state[_ODD_X] = np.nan
                    xy[p, k, 0], xy[p, k, 1], scores[p, k] = np.nan, np.nan, 0.0
                    continue
                state[_HELD_NOW] = 1.0
                scores[p, k] = state[_LAST_SCORE] * (1.0 - gone_s / constants.fade_s)
            xy[p, k, 0], xy[p, k, 1] = _ahead(state, gone_s + lead_s, constants.glide_s)


# -- between looks -------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def _variance_ahead(
    state: NDArray[np.float64], ahead_s: float, scale_px: float, constants: ImmConstants
) -> float:
    """Variance in px² of where the keypoint is ``ahead_s`` after it was last seen, x and y each.

    That of the mixture of the models, each weighted as it will be: rest may end meanwhile.
    """
    mean_x = mean_y = squares = inner = 0.0
    for j in range(_MODELS):
        weight = 0.0
        for i in range(_MODELS):
            stays = math.exp(-ahead_s / constants.lasts_s[i])
            share = stays if i == j else (1.0 - stays) / (_MODELS - 1)
            weight += share * state[_WEIGHTS + i]
        model = state[j * _NUMBERS : (j + 1) * _NUMBERS].copy()
        _predict(model, j, ahead_s, constants.changes[j] * scale_px * scale_px)
        x, y = model[_X_NOW] - state[_X_NOW], model[_Y_NOW] - state[_Y_NOW]
        mean_x, mean_y = mean_x + weight * x, mean_y + weight * y
        squares, inner = squares + weight * (x * x + y * y), inner + weight * model[_PLACE]
    return float(inner + (squares - mean_x * mean_x - mean_y * mean_y) / 2.0)


@njit(cache=True, nogil=True, error_model="numpy")
def doubt_of(
    states: NDArray[np.float64],
    seen_s: float,
    time_s: float,
    scale_px: float,
    constants: ImmConstants,
) -> float:
    """How much less a prediction of keypoints (K, IMM_COLUMNS) is worth than a measurement.

    The variance of the worst of them by that of a measurement. Infinite for whoever has just lost
    a keypoint, or shown it where it cannot be, or has none that counts.
    """
    worst = -math.inf
    for k in range(len(states)):
        state = states[k]
        if math.isnan(state[_LAST_S]):
            continue
        if state[_LAST_S] != seen_s or math.isfinite(state[_ODD_X]):
            return math.inf
        if state[_LAST_SCORE] >= _LEAST_SCORE:
            variance = _variance_ahead(state, time_s - seen_s, scale_px, constants)
            worst = max(worst, variance / state[_LAST_NOISE])
    return worst if worst >= 0.0 else math.inf


@njit(cache=True, nogil=True, error_model="numpy")
def propagate(
    states: NDArray[np.float64],
    seen_s: float,
    times_s: tuple[float, float],
    scale_px: float,
    constants: ImmConstants,
    points: NDArray[np.float64],
) -> None:
    """Where keypoints are by now: ``points`` (K, 4) of x, y, score and variance.

    ``times_s`` are now, and how far ahead. A keypoint that was missing before goes on fading.
    """
    time_s, lead_s = times_s
    for k in range(len(states)):
        state = states[k]
        gone_s = time_s - state[_LAST_S]
        if state[_LAST_S] == seen_s:
            points[k, 2] = state[_LAST_SCORE]
            # What a measurement is always off by, and what it trembles by or moves unforeseen.
            constant_px2 = state[_LAST_NOISE] * (1.0 / max(constants.noise_share, 1e-6) - 1.0)
            trembles_px2 = _variance_ahead(state, gone_s, scale_px, constants)
            points[k, 3] = constant_px2 + trembles_px2
        elif 0.0 <= gone_s < constants.fade_s:
            points[k, 2] = state[_LAST_SCORE] * (1.0 - gone_s / constants.fade_s)
            points[k, 3] = np.nan
        else:
            points[k, 0], points[k, 1], points[k, 2], points[k, 3] = np.nan, np.nan, 0.0, np.nan
            continue
        points[k, 0], points[k, 1] = _ahead(state, gone_s + lead_s, _PROPAGATION_GLIDE_S)
