"""Numba kernels of the filter of keypoints, as ``Smoother`` describes it.

``slots`` (P,) say which of the ``bodies`` (S, 2) and ``states`` (S, K, ``IMM_COLUMNS``) is whose,
-1 for who is not followed. ``people`` are boxes (P, 4), keypoints (P, K, 2), scores (P, K),
covariances (P, K, 2, 2) and states (P, K); ``times_s`` are now, and how far ahead of it keypoints
are wanted. Three models move in each ``state``: rest, slow and quick motion. Numbers without a unit
are in body scales; docs/smoothness.md chose them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import around
from livepose.compiled import kernel
from livepose.poses import KeypointState

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
Masks = NDArray[np.bool_]
People = tuple[Floats, Floats, Floats, Floats, NDArray[np.uint8]]

FADE_S = 0.2
"""A keypoint that vanishes is predicted so long, its score falling to zero."""
GAP_S = 1.5
"""Somebody not seen for longer starts anew, and is forgotten; as long as the tracker knows who
somebody out of sight is, and longer than from one image to the next."""
_JUMP = 0.3  # what comes back farther away starts anew instead of gliding there
_SCALE_CUTOFF_HZ = 0.5  # of the body scale, so that a trembling box trembles no filter

_CHANGES = (1e-5, 3e-3, 20.0)
"""Square of the way that a keypoint at rest drifts in a second; how abruptly slow and quick motion
change their speed: white acceleration."""
_LASTS_S = (5.0, 2.0, 1.0)  # usually
_START_SPEEDS = (0.0, 0.05, 1.0)  # deviation of a new keypoint's speed, body scales a second
_TOP_SPEED = 8.0  # what is faster is doubted until the next image confirms it
_GLIDE_S = 0.1  # a keypoint that is predicted comes to a halt in about that time
_PROPAGATION_GLIDE_S = 0.4  # who only waits for a look goes on, but does not fly away
_USUAL_NOISE = 0.055  # deviation of a measurement that says nothing of its own
_LEAST_PROBABILITY = 1e-4
_LEAST_SCORE = 0.2  # keypoints below say nothing of whether somebody has to be looked at

BODY_SEEN_S, BODY_SCALE_PX = 0, 1
"""Columns of ``bodies``: when somebody was last seen (NaN: never), and their scale."""
_MODELS, _NUMBERS = 3, 7
_X, _Y, _VX, _VY, _PLACE, _BOTH, _SPEED = range(_NUMBERS)
_WEIGHTS = _MODELS * _NUMBERS
_SEEN_S, _SCORE, _NOISE, _HELD, _ODD_X, _ODD_Y = range(_WEIGHTS + _MODELS, _WEIGHTS + _MODELS + 6)
IMM_COLUMNS = _WEIGHTS + _MODELS + 6
"""For each model: x, y, vx, vy in px and px/s, and the variance of a place, of place with speed,
and of a speed. Then the models' probabilities; the time it was last seen (NaN: never), its score
and its noise in px² then; whether it is held; the place of a doubted measurement (NaN: none)."""
_MISSING, _PREDICTED = int(KeypointState.MISSING), int(KeypointState.PREDICTED)
_PROPAGATED = int(KeypointState.PROPAGATED)


@kernel
def smooth(
    people: People,
    slots: Slots,
    bodies: Floats,
    states: Floats,
    times_s: tuple[float, float],
    noise_share: float,
) -> None:
    """Filters people in place; whoever is not followed passes untouched.

    Where nothing was measured the state says so, and the covariance is unknown.
    """
    boxes_xyxy, xy, scores, covariance_px2, keypoint_states = people
    scratch = np.empty((5, 7))
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        body = bodies[slots[p]]
        _learn_scale(body, boxes_xyxy[p], xy[p], times_s[0])
        for k in range(scores.shape[1]):
            state, spread = states[slots[p], k], covariance_px2[p, k]
            found = xy[p, k, 0], xy[p, k, 1], scores[p, k], (spread[0, 0] + spread[1, 1]) / 2
            x, y, score, seen = _filter(
                state, found, times_s, body[BODY_SCALE_PX], noise_share, scratch
            )
            xy[p, k, 0], xy[p, k, 1], scores[p, k] = x, y, score
            if not seen:
                keypoint_states[p, k] = _PREDICTED if math.isfinite(x + y) else _MISSING
                covariance_px2[p, k] = np.nan


@kernel
def _learn_scale(body: Floats, box_xyxy: Floats, xy: Floats, time_s: float) -> None:
    """Body scale, low-passed, of a box (4,), or of what keypoints (K, 2) span without one."""
    now = _root_of_area(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])
    if not now > 0.0:
        left, top, right, bottom = around(xy, xy)
        now = _root_of_area(right - left, bottom - top)
    old = body[BODY_SCALE_PX]
    if not now > 0.0:
        now = 1.0 if math.isnan(old) else old
    turn = 2.0 * math.pi * _SCALE_CUTOFF_HZ * (time_s - body[BODY_SEEN_S])
    body[BODY_SCALE_PX] = now if math.isnan(old) else old + turn / (turn + 1.0) * (now - old)
    body[BODY_SEEN_S] = time_s


@kernel
def _root_of_area(width_px: float, height_px: float) -> float:
    """Side of the square of that area; 0 where a side is empty or NaN."""
    return math.sqrt(width_px * height_px) if width_px > 0.0 and height_px > 0.0 else 0.0


# -- one keypoint ----------------------------------------------------------------------------------


@kernel
def _filter(
    state: Floats,
    found: tuple[float, float, float, float],
    times_s: tuple[float, float],
    scale_px: float,
    noise_share: float,
    scratch: Floats,
) -> tuple[float, float, float, bool]:
    """x, y and score, and whether the measurement ``found`` (and its variance) was taken in."""
    x, y, score, variance = found
    gone_s = times_s[0] - state[_SEEN_S]
    seen = math.isfinite(x) and math.isfinite(y) and score > 0.0
    if seen and gone_s != 0.0:  # a repeated time tells nothing new
        variance = variance if variance > 0.0 else (_USUAL_NOISE * scale_px) ** 2
        noise_px2 = noise_share * variance
        seen = _take(state, x, y, noise_px2, gone_s, scale_px, scratch)
        if seen:
            gone_s = 0.0
            state[_SEEN_S], state[_SCORE], state[_HELD] = times_s[0], score, 0.0
            state[_NOISE], state[_ODD_X], state[_ODD_Y] = noise_px2, np.nan, np.nan
    if not seen:
        if not 0.0 <= gone_s < FADE_S:
            state[_SEEN_S] = state[_ODD_X] = np.nan
            return np.nan, np.nan, 0.0, False
        state[_HELD] = 1.0
        score = state[_SCORE] * (1.0 - gone_s / FADE_S)
    x, y = _ahead(state, gone_s + times_s[1], _GLIDE_S)
    return x, y, score, seen


@kernel
def _take(
    state: Floats,
    x: float,
    y: float,
    noise_px2: float,
    dt_s: float,
    scale_px: float,
    scratch: Floats,
) -> bool:
    """Goes on with a measurement, or begins anew there; False where it is doubted.

    Nobody moves faster than the top speed. A measurement that asks for more is remembered, and
    taken when the next one confirms it.
    """
    anew = not 0.0 < dt_s <= GAP_S  # also where dt_s is NaN
    if not anew:
        expected_x, expected_y = _ahead(state, dt_s, _GLIDE_S)
        off_px, reach_px = math.hypot(x - expected_x, y - expected_y), _TOP_SPEED * dt_s * scale_px
        anew = state[_HELD] == 1.0 and off_px > _JUMP * scale_px
        if off_px > reach_px:
            anew = math.hypot(x - state[_ODD_X], y - state[_ODD_Y]) <= reach_px
            if not anew:
                state[_ODD_X], state[_ODD_Y] = x, y
                return False
    if not anew:
        _step(state, x, y, noise_px2, dt_s, scale_px, scratch)
        return True
    for j in range(_MODELS):
        model, speed = state[j * _NUMBERS : (j + 1) * _NUMBERS], _START_SPEEDS[j] * scale_px
        model[_X], model[_Y], model[_VX], model[_VY] = x, y, 0.0, 0.0
        model[_PLACE], model[_BOTH], model[_SPEED] = noise_px2, 0.0, speed**2
        state[_WEIGHTS + j] = 1.0 / _MODELS
    return True


@kernel
def _step(
    state: Floats,
    x: float,
    y: float,
    noise_px2: float,
    dt_s: float,
    scale_px: float,
    scratch: Floats,
) -> None:
    """One step of the interacting multiple models, in place; ``scratch`` is (5, 7)."""
    now, shares, probable = scratch[:_MODELS], scratch[_MODELS], scratch[_MODELS + 1]
    likely, best = shares[_MODELS : 2 * _MODELS], -math.inf
    for j in range(_MODELS):
        probable[j] = 0.0
        for i in range(_MODELS):
            shares[i] = state[_WEIGHTS + i] * _chance(dt_s, i, j)
            probable[j] += shares[i]
        for i in range(_MODELS):
            shares[i] /= probable[j]
        _blend(state, shares, now[j])
        _predict(now[j], j, dt_s, scale_px)
        likely[j] = _correct(now[j], x, y, noise_px2)
        best = max(best, likely[j])
    total = floored = 0.0
    for j in range(_MODELS):
        probable[j] = max(probable[j] * math.exp(likely[j] - best), 1e-300)
        total += probable[j]
    for j in range(_MODELS):
        probable[j] = max(probable[j] / total, _LEAST_PROBABILITY)
        floored += probable[j]
    for j in range(_MODELS):
        state[_WEIGHTS + j] = probable[j] / floored
        state[j * _NUMBERS : (j + 1) * _NUMBERS] = now[j]


@kernel
def _chance(dt_s: float, i: int, j: int) -> float:
    """How likely what moved as model ``i`` says moves as ``j`` says ``dt_s`` later."""
    stays = math.exp(-dt_s / _LASTS_S[i])
    return stays if i == j else (1.0 - stays) / (_MODELS - 1)


@kernel
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


@kernel
def _predict(model: Floats, j: int, dt_s: float, scale_px: float) -> None:
    """Moves a model on: rest drifts and has no speed, motion keeps its speed but for agility."""
    change_px2 = _CHANGES[j] * scale_px * scale_px
    if j == 0:
        model[_VX] = model[_VY] = model[_BOTH] = model[_SPEED] = 0.0
        model[_PLACE] += change_px2 * dt_s
        return
    model[_X] += dt_s * model[_VX]
    model[_Y] += dt_s * model[_VY]
    model[_PLACE] += dt_s * (2 * model[_BOTH] + dt_s * (model[_SPEED] + change_px2 * dt_s / 3))
    model[_BOTH] += dt_s * (model[_SPEED] + change_px2 * dt_s / 2)
    model[_SPEED] += change_px2 * dt_s


@kernel
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


@kernel
def _ahead(state: Floats, ahead_s: float, glide_s: float) -> tuple[float, float]:
    """Where the keypoint is ``ahead_s`` after it was last seen: it glides to a halt."""
    reach_s = 0.0 if ahead_s == 0.0 else glide_s * (1.0 - math.exp(-ahead_s / glide_s))
    x, y = state[_X], state[_Y]  # as differences, so that agreement stays exact
    for j in range(1, _MODELS):
        start, weight = j * _NUMBERS, state[_WEIGHTS + j]
        x += weight * (state[start] - state[_X] + reach_s * state[start + 2])
        y += weight * (state[start + 1] - state[_Y] + reach_s * state[start + 3])
    return x, y


# -- between looks ---------------------------------------------------------------------------------


@kernel
def doubts(slots: Slots, bodies: Floats, states: Floats, time_s: float) -> Floats:
    """How much less a prediction of each person (P,) is worth than a measurement.

    The variance of the worst keypoint by that of a measurement. Infinite for whoever has just lost
    a keypoint, or shown it where it cannot be, or has none that counts.
    """
    found = np.full(len(slots), np.inf)
    for p in range(len(slots)):
        if slots[p] >= 0:
            found[p] = _doubt_of(states[slots[p]], bodies[slots[p]], time_s)
    return found


@kernel
def _doubt_of(states: Floats, body: Floats, time_s: float) -> float:
    worst = -math.inf
    for state in states:
        if math.isnan(state[_SEEN_S]):
            continue
        if state[_SEEN_S] != body[BODY_SEEN_S] or math.isfinite(state[_ODD_X]):
            return math.inf
        if state[_SCORE] >= _LEAST_SCORE:
            variance = _variance_ahead(state, time_s - body[BODY_SEEN_S], body[BODY_SCALE_PX])
            worst = max(worst, variance / state[_NOISE])
    return worst if worst >= 0.0 else math.inf


@kernel
def propagate(
    people: People,
    slots: Slots,
    bodies: Floats,
    states: Floats,
    times_s: tuple[float, float],
    noise_share: float,
    overdue: Masks,
) -> None:
    """Fills in people who were not looked at; if a look is ``overdue`` (P,) they are predicted.

    A keypoint that was missing before goes on fading.
    """
    _, xy, scores, covariance_px2, keypoint_states = people
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        seen_s, scale_px = bodies[slots[p]]
        for k in range(scores.shape[1]):
            state, variance = states[slots[p], k], np.nan
            gone_s, score = times_s[0] - state[_SEEN_S], state[_SCORE]
            if state[_SEEN_S] != seen_s:
                if not 0.0 <= gone_s < FADE_S:
                    continue
                score *= 1.0 - gone_s / FADE_S
            elif not overdue[p]:
                # What a measurement is always off by, and what it trembles by or moves unforeseen.
                constant_px2 = state[_NOISE] * (1.0 / max(noise_share, 1e-6) - 1.0)
                variance = constant_px2 + _variance_ahead(state, gone_s, scale_px)
            x, y = _ahead(state, gone_s + times_s[1], _PROPAGATION_GLIDE_S)
            xy[p, k, 0], xy[p, k, 1], scores[p, k] = x, y, score
            keypoint_states[p, k] = _PROPAGATED if math.isfinite(variance) else _PREDICTED
            covariance_px2[p, k, 0, 0] = covariance_px2[p, k, 1, 1] = variance
            covariance_px2[p, k, 0, 1] = covariance_px2[p, k, 1, 0] = 0.0 * variance


@kernel
def _variance_ahead(state: Floats, ahead_s: float, scale_px: float) -> float:
    """Variance in px² of where the keypoint is ``ahead_s`` after it was last seen, x and y each.

    That of the mixture of the models, each weighted as it will be: rest may end meanwhile.
    """
    mean_x, mean_y, squares, inner = 0.0, 0.0, 0.0, 0.0
    for j in range(_MODELS):
        weight = 0.0
        for i in range(_MODELS):
            weight += _chance(ahead_s, i, j) * state[_WEIGHTS + i]
        model = state[j * _NUMBERS : (j + 1) * _NUMBERS].copy()
        _predict(model, j, ahead_s, scale_px)
        x, y = model[_X] - state[_X], model[_Y] - state[_Y]
        mean_x, mean_y = mean_x + weight * x, mean_y + weight * y
        squares, inner = squares + weight * (x * x + y * y), inner + weight * model[_PLACE]
    return float(inner + (squares - mean_x * mean_x - mean_y * mean_y) / 2.0)
