"""Numba kernel of the One Euro filter, for all people of a frame in one call.

The state of one keypoint is a row of ``STATE_COLUMNS`` numbers: x, y (smoothed, px), vx, vy
(smoothed, body scales a second), the time it was last seen (NaN: never), its score then, whether
it is held in place at present (1 or 0), and x, y as last measured. Speed is taken between
measurements: against the smoothed position it would count the lag as speed, the more the higher
the frame rate.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

STATE_COLUMNS = 9
_X, _Y, _VX, _VY, _SEEN_S, _SCORE, _HELD, _RAW_X, _RAW_Y = range(STATE_COLUMNS)

_SAME_TIME_S = 1e-6


class OneEuroConstants(NamedTuple):
    """Constants of the filter: see ``SmoothingSettings``."""

    min_cutoff_hz: float
    cutoff_per_speed: float
    speed_cutoff_hz: float
    fade_s: float
    jump_scales: float


@njit(cache=True, nogil=True)
def low_pass_share(cutoff_hz: float, dt_s: float) -> float:
    """Share of the new sample in a first-order low-pass after ``dt_s`` seconds."""
    turn = 2.0 * math.pi * cutoff_hz * dt_s
    return turn / (turn + 1.0)


@njit(cache=True, nogil=True)
def _step(
    state: NDArray[np.float64],
    x: float,
    y: float,
    dt_s: float,
    scale_px: float,
    constants: OneEuroConstants,
) -> None:
    """One Euro step: the cut-off rises with the speed, which x and y share."""
    share = low_pass_share(constants.speed_cutoff_hz, dt_s)
    state[_VX] += share * ((x - state[_RAW_X]) / (dt_s * scale_px) - state[_VX])
    state[_VY] += share * ((y - state[_RAW_Y]) / (dt_s * scale_px) - state[_VY])
    speed = math.hypot(state[_VX], state[_VY])
    share = low_pass_share(constants.min_cutoff_hz + constants.cutoff_per_speed * speed, dt_s)
    state[_X] += share * (x - state[_X])
    state[_Y] += share * (y - state[_Y])


@njit(cache=True, nogil=True)
def _see(
    state: NDArray[np.float64],
    x: float,
    y: float,
    score: float,
    time_s: float,
    scale_px: float,
    constants: OneEuroConstants,
) -> None:
    """Takes in a keypoint that was measured."""
    dt_s = time_s - state[_SEEN_S]  # NaN if never seen, and then every comparison is false
    if abs(dt_s) < _SAME_TIME_S:
        return  # a repeated time tells nothing new, and a speed over next to no time is none
    reach_px = math.inf if state[_HELD] == 0.0 else constants.jump_scales * scale_px
    if dt_s > 0.0 and math.hypot(x - state[_X], y - state[_Y]) <= reach_px:
        _step(state, x, y, dt_s, scale_px, constants)
    else:
        state[_X], state[_Y], state[_VX], state[_VY] = x, y, 0.0, 0.0
    state[_SEEN_S], state[_SCORE], state[_HELD] = time_s, score, 0.0
    state[_RAW_X], state[_RAW_Y] = x, y


@njit(cache=True, nogil=True)
def _miss(state: NDArray[np.float64], time_s: float, constants: OneEuroConstants) -> float:
    """Score of a keypoint that is not there: it fades, and once faded it is forgotten."""
    dt_s, fade_s = time_s - state[_SEEN_S], constants.fade_s
    if 0.0 <= dt_s < fade_s:
        state[_HELD] = 1.0
        return float(state[_SCORE] * (1.0 - dt_s / fade_s))
    state[_X], state[_Y], state[_SEEN_S], state[_HELD] = np.nan, np.nan, np.nan, 0.0
    return 0.0


@njit(cache=True, nogil=True)
def one_euro(
    xy: NDArray[np.float64],
    scores: NDArray[np.float64],
    tracks: NDArray[np.void],
    slots: NDArray[np.int64],
    time_s: float,
    states: NDArray[np.float64],
    constants: OneEuroConstants,
    measured: NDArray[np.bool_],
) -> None:
    """Filters ``xy`` (P, K, 2) and ``scores`` (P, K) in place.

    Person p has the track n = ``slots[p]`` of ``tracks`` (N,) and ``states``
    (N, K, STATE_COLUMNS), which are kept up to date; below 0 the person passes untouched.
    ``measured`` (P, K) is set where there was a measurement.
    """
    people, joints = scores.shape
    for p in range(people):
        for k in range(joints):
            if slots[p] < 0:
                break
            state = states[slots[p], k]
            x, y, score = xy[p, k, 0], xy[p, k, 1], scores[p, k]
            measured[p, k] = math.isfinite(x) and math.isfinite(y) and score > 0.0
            if measured[p, k]:
                _see(state, x, y, score, time_s, tracks[slots[p]].scale_px, constants)
            else:
                scores[p, k] = _miss(state, time_s, constants)
            xy[p, k, 0], xy[p, k, 1] = state[_X], state[_Y]
