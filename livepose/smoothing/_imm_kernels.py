"""Numba kernels of the filter with three models: rest, slow and quick motion.

``state`` (``IMM_COLUMNS``,) is what is known of one keypoint, ``chosen`` the row of
``SmoothingSettings``.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Floats = NDArray[np.float64]

_MODELS, _NUMBERS = 3, 7
_X, _Y, _VX, _VY, _PLACE, _BOTH, _SPEED = range(_NUMBERS)
_WEIGHTS = _MODELS * _NUMBERS
_SEEN_S, _SCORE, _NOISE, _HELD, _ODD_X, _ODD_Y = range(_WEIGHTS + _MODELS, _WEIGHTS + _MODELS + 6)
IMM_COLUMNS = _WEIGHTS + _MODELS + 6
"""For each model: x, y, vx, vy in px and px/s, and the variance of a place, of place with speed,
and of a speed. Then the models' probabilities; the time it was last seen (NaN: never), its score
and its noise in px² then; whether it is held; the place of a doubted measurement (NaN: none)."""

_START_SPEEDS = (0.0, 0.05, 1.0)  # deviation of a new keypoint's speed, body scales a second
_UNKNOWN_SIGMA = 0.055  # of a measurement that says nothing of its own, in body scales
_LEAST_PROBABILITY = 1e-4
_DOUBT, _GO_ON, _ANEW = 0, 1, 2
_LEAST_SCORE = 0.2  # keypoints below say nothing of whether somebody has to be looked at
_PROPAGATION_GLIDE_S = 0.4  # who only waits for a look goes on, but does not fly away


@njit(cache=True, nogil=True, error_model="numpy")
def _begin(state: Floats, x: float, y: float, noise_px2: float, scale_px: float) -> None:
    """Every model starts at the measurement."""
    for j in range(_MODELS):
        model = state[j * _NUMBERS : (j + 1) * _NUMBERS]
        model[_X], model[_Y], model[_VX], model[_VY] = x, y, 0.0, 0.0
        model[_PLACE], model[_BOTH] = noise_px2, 0.0
        model[_SPEED] = (_START_SPEEDS[j] * scale_px) ** 2
        state[_WEIGHTS + j] = 1.0 / _MODELS


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(state: Floats, shares: Floats, blended: Floats) -> None:
    """Mean and covariance of the mixture of all models in these ``shares`` (3,), into (7,)."""
    blended[:] = 0.0
    for i in range(_MODELS):
        for column in range(_NUMBERS):
            blended[column] += shares[i] * state[i * _NUMBERS + column]
    for i in range(_MODELS):
        start, half = i * _NUMBERS, shares[i] / 2.0
        dx, dy = state[start] - blended[_X], state[start + 1] - blended[_Y]
        dvx, dvy = state[start + 2] - blended[_VX], state[start + 3] - blended[_VY]
        blended[_PLACE] += half * (dx * dx + dy * dy)
        blended[_BOTH] += half * (dx * dvx + dy * dvy)
        blended[_SPEED] += half * (dvx * dvx + dvy * dvy)


@njit(cache=True, nogil=True, error_model="numpy")
def _predict(model: Floats, j: int, dt_s: float, change_px2: float) -> None:
    """Moves a model on: rest drifts and has no speed, motion keeps its speed but for agility."""
    if j == 0:
        model[_VX] = model[_VY] = model[_BOTH] = model[_SPEED] = 0.0
        model[_PLACE] += change_px2 * dt_s
        return
    model[_X] += dt_s * model[_VX]
    model[_Y] += dt_s * model[_VY]
    model[_PLACE] += dt_s * (2 * model[_BOTH] + dt_s * (model[_SPEED] + change_px2 * dt_s / 3))
    model[_BOTH] += dt_s * (model[_SPEED] + change_px2 * dt_s / 2)
    model[_SPEED] += change_px2 * dt_s


@njit(cache=True, nogil=True, error_model="numpy")
def _correct(model: Floats, x: float, y: float, noise_px2: float) -> float:
    """Kalman update of one model; the logarithm of how likely the measurement was."""
    variance = model[_PLACE] + noise_px2
    miss_x, miss_y = x - model[_X], y - model[_Y]
    gain, speed_gain = model[_PLACE] / variance, model[_BOTH] / variance
    model[_X] += gain * miss_x
    model[_Y] += gain * miss_y
    model[_VX] += speed_gain * miss_x
    model[_VY] += speed_gain * miss_y
    model[_SPEED] -= speed_gain * model[_BOTH]
    model[_PLACE] *= 1.0 - gain
    model[_BOTH] *= 1.0 - gain
    return float(-0.5 * (miss_x * miss_x + miss_y * miss_y) / variance - math.log(variance))


@njit(cache=True, nogil=True, error_model="numpy")
def _step(
    state: Floats,
    x: float,
    y: float,
    noise_px2: float,
    dt_s: float,
    scale_px: float,
    chosen: Any,
    scratch: Floats,
) -> None:
    """One step of the interacting multiple models, in place; ``scratch`` is (7, 7)."""
    now, shares = scratch[:_MODELS], scratch[_MODELS, :_MODELS]
    probable, likely, stays = scratch[4], scratch[5], scratch[6]
    if stays[_MODELS] != dt_s:  # the same for nearly all keypoints of a frame
        stays[_MODELS] = dt_s
        for i in range(_MODELS):
            stays[i] = math.exp(-dt_s / chosen.lasts_s[i])
    for j in range(_MODELS):
        total = 0.0
        for i in range(_MODELS):
            comes = stays[i] if i == j else (1.0 - stays[i]) / (_MODELS - 1)
            shares[i] = state[_WEIGHTS + i] * comes
            total += shares[i]
        for i in range(_MODELS):
            shares[i] /= total
        probable[j] = total
        _blend(state, shares, now[j])
        _predict(now[j], j, dt_s, chosen.changes[j] * scale_px * scale_px)
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
def _ahead(state: Floats, ahead_s: float, glide_s: float) -> tuple[float, float]:
    """Where the keypoint is ``ahead_s`` after it was last seen: it glides to a halt."""
    reach_s = 0.0
    if ahead_s != 0.0 and glide_s > 0.0:
        reach_s = glide_s * (1.0 - math.exp(-ahead_s / glide_s))
    x, y = state[_X], state[_Y]  # as differences, so that agreement stays exact
    for j in range(1, _MODELS):
        start, weight = j * _NUMBERS, state[_WEIGHTS + j]
        x += weight * (state[start] - state[_X] + reach_s * state[start + 2])
        y += weight * (state[start + 1] - state[_Y] + reach_s * state[start + 3])
    return x, y


@njit(cache=True, nogil=True, error_model="numpy")
def _how(state: Floats, x: float, y: float, dt_s: float, scale_px: float, chosen: Any) -> int:
    """What to do with a measurement: ``_DOUBT`` it, go on with it, or begin anew there.

    Nobody moves faster than the top speed. A measurement that asks for more is remembered, and
    taken when the next one confirms it.
    """
    if not 0.0 < dt_s <= chosen.gap_s:  # also where dt_s is NaN
        return _ANEW
    expected_x, expected_y = _ahead(state, dt_s, chosen.glide_s)
    off_px = math.hypot(x - expected_x, y - expected_y)
    reach_px = chosen.top_speed * dt_s * scale_px
    if off_px > reach_px:
        if math.hypot(x - state[_ODD_X], y - state[_ODD_Y]) <= reach_px:
            return _ANEW
        state[_ODD_X], state[_ODD_Y] = x, y
        return _DOUBT
    if state[_HELD] == 1.0 and off_px > chosen.jump_scales * scale_px:
        return _ANEW
    return _GO_ON


@njit(cache=True, nogil=True, error_model="numpy")
def imm_filter(
    state: Floats,
    found: tuple[float, float, float, float],
    times_s: tuple[float, float],
    scale_px: float,
    chosen: Any,
    scratch: Floats,
) -> tuple[float, float, float, bool]:
    """One keypoint filtered: x, y, score, and whether a measurement was taken in.

    It was ``found`` at x, y, with a score and a variance in px², NaN where unknown; ``times_s`` are
    now, and how far ahead of it. ``scratch`` (7, 7), NaN at first, serves all keypoints of a frame.
    """
    x, y, score, variance = found
    gone_s = times_s[0] - state[_SEEN_S]
    seen = math.isfinite(x) and math.isfinite(y) and score > 0.0
    if seen and gone_s != 0.0:  # a repeated time tells nothing new
        variance = variance if variance > 0.0 else (_UNKNOWN_SIGMA * scale_px) ** 2
        noise_px2 = chosen.noise_share * variance
        how = _how(state, x, y, gone_s, scale_px, chosen)
        seen = how != _DOUBT
        if how == _ANEW:
            _begin(state, x, y, noise_px2, scale_px)
        elif how == _GO_ON:
            _step(state, x, y, noise_px2, gone_s, scale_px, chosen, scratch)
        if seen:
            gone_s = 0.0
            state[_SEEN_S], state[_SCORE], state[_HELD] = times_s[0], score, 0.0
            state[_NOISE], state[_ODD_X], state[_ODD_Y] = noise_px2, np.nan, np.nan
    if not seen:
        if not 0.0 <= gone_s < chosen.fade_s:
            state[_SEEN_S] = state[_ODD_X] = np.nan
            return np.nan, np.nan, 0.0, False
        state[_HELD] = 1.0
        score = state[_SCORE] * (1.0 - gone_s / chosen.fade_s)
    x, y = _ahead(state, gone_s + times_s[1], chosen.glide_s)
    return x, y, score, seen


# -- between looks -------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def _variance_ahead(state: Floats, ahead_s: float, scale_px: float, chosen: Any) -> float:
    """Variance in px² of where the keypoint is ``ahead_s`` after it was last seen, x and y each.

    That of the mixture of the models, each weighted as it will be: rest may end meanwhile.
    """
    mean_x = mean_y = squares = inner = 0.0
    for j in range(_MODELS):
        weight = 0.0
        for i in range(_MODELS):
            stays = math.exp(-ahead_s / chosen.lasts_s[i])
            share = stays if i == j else (1.0 - stays) / (_MODELS - 1)
            weight += share * state[_WEIGHTS + i]
        model = state[j * _NUMBERS : (j + 1) * _NUMBERS].copy()
        _predict(model, j, ahead_s, chosen.changes[j] * scale_px * scale_px)
        x, y = model[_X] - state[_X], model[_Y] - state[_Y]
        mean_x, mean_y = mean_x + weight * x, mean_y + weight * y
        squares, inner = squares + weight * (x * x + y * y), inner + weight * model[_PLACE]
    return float(inner + (squares - mean_x * mean_x - mean_y * mean_y) / 2.0)


@njit(cache=True, nogil=True, error_model="numpy")
def doubt_of(
    states: Floats,
    seen_s: float,
    time_s: float,
    scale_px: float,
    chosen: Any,
) -> float:
    """How much less a prediction of keypoints (K, IMM_COLUMNS) is worth than a measurement.

    The variance of the worst of them by that of a measurement. Infinite for whoever has just lost
    a keypoint, or shown it where it cannot be, or has none that counts.
    """
    worst = -math.inf
    for k in range(len(states)):
        state = states[k]
        if math.isnan(state[_SEEN_S]):
            continue
        if state[_SEEN_S] != seen_s or math.isfinite(state[_ODD_X]):
            return math.inf
        if state[_SCORE] >= _LEAST_SCORE:
            variance = _variance_ahead(state, time_s - seen_s, scale_px, chosen)
            worst = max(worst, variance / state[_NOISE])
    return worst if worst >= 0.0 else math.inf


@njit(cache=True, nogil=True, error_model="numpy")
def propagate_keypoint(
    state: Floats, seen_s: float, times_s: tuple[float, float], scale_px: float, chosen: Any
) -> tuple[float, float, float, float]:
    """Where a keypoint of somebody last seen at ``seen_s`` is by now: x, y, score and variance.

    ``times_s`` are now, and how far ahead. A keypoint that was missing before goes on fading.
    """
    gone_s = times_s[0] - state[_SEEN_S]
    score, variance = state[_SCORE], np.nan
    if state[_SEEN_S] == seen_s:
        # What a measurement is always off by, and what it trembles by or moves unforeseen.
        constant_px2 = state[_NOISE] * (1.0 / max(chosen.noise_share, 1e-6) - 1.0)
        variance = constant_px2 + _variance_ahead(state, gone_s, scale_px, chosen)
    elif 0.0 <= gone_s < chosen.fade_s:
        score = state[_SCORE] * (1.0 - gone_s / chosen.fade_s)
    else:
        return np.nan, np.nan, 0.0, np.nan
    x, y = _ahead(state, gone_s + times_s[1], _PROPAGATION_GLIDE_S)
    return x, y, score, variance
