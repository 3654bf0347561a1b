"""Numba kernels of the One Euro filter.

The state of one keypoint is a row of ``STATE_COLUMNS`` numbers: x, y (smoothed, px), vx, vy
(smoothed, body scales a second), the time it was last seen (NaN: never), its score then, whether
it is held in place at present (1 or 0), and x, y as last measured. Speed is taken between
measurements: against the smoothed position it would count the lag as speed, the more the higher
the frame rate.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

STATE_COLUMNS = 9
_X, _Y, _VX, _VY, _SEEN_S, _SCORE, _HELD, _RAW_X, _RAW_Y = range(STATE_COLUMNS)

_SAME_TIME_S = 1e-6


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
    chosen: Any,
) -> None:
    """One Euro step: the cut-off rises with the speed, which x and y share."""
    share = low_pass_share(chosen.speed_cutoff_hz, dt_s)
    state[_VX] += share * ((x - state[_RAW_X]) / (dt_s * scale_px) - state[_VX])
    state[_VY] += share * ((y - state[_RAW_Y]) / (dt_s * scale_px) - state[_VY])
    speed = math.hypot(state[_VX], state[_VY])
    share = low_pass_share(chosen.min_cutoff_hz + chosen.cutoff_per_speed * speed, dt_s)
    state[_X] += share * (x - state[_X])
    state[_Y] += share * (y - state[_Y])


@njit(cache=True, nogil=True)
def one_euro(
    state: NDArray[np.float64],
    found: tuple[float, float, float, float],
    time_s: float,
    scale_px: float,
    chosen: Any,
) -> tuple[float, float, float, bool]:
    """One keypoint filtered: x, y, score, and whether it was measured.

    It was ``found`` at x, y, with a score and a variance, which this filter does not use. What is
    not there is held in place and fades; once faded it is forgotten.
    """
    x, y, score, _ = found
    seen = math.isfinite(x) and math.isfinite(y) and score > 0.0
    dt_s = time_s - state[_SEEN_S]  # NaN if never seen, and then every comparison is false
    if not seen and 0.0 <= dt_s < chosen.fade_s:
        state[_HELD] = 1.0
        score = state[_SCORE] * (1.0 - dt_s / chosen.fade_s)
    elif not seen:
        state[_X], state[_Y], state[_SEEN_S], state[_HELD] = np.nan, np.nan, np.nan, 0.0
        score = 0.0
    elif not abs(dt_s) < _SAME_TIME_S:  # no speed can be had over next to no time
        reach_px = math.inf if state[_HELD] == 0.0 else chosen.jump_scales * scale_px
        if dt_s > 0.0 and math.hypot(x - state[_X], y - state[_Y]) <= reach_px:
            _step(state, x, y, dt_s, scale_px, chosen)
        else:
            state[_X], state[_Y], state[_VX], state[_VY] = x, y, 0.0, 0.0
        state[_SEEN_S], state[_SCORE], state[_HELD] = time_s, score, 0.0
        state[_RAW_X], state[_RAW_Y] = x, y
    return state[_X], state[_Y], score, seen
