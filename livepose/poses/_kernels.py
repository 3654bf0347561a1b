"""Numba kernels of poses: for a handful of people NumPy's calls cost more than the work."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.poses.states import KeypointState

Floats = NDArray[np.float64]
States = NDArray[np.uint8]

MISSING, SEEN = int(KeypointState.MISSING), int(KeypointState.SEEN)
WEAK, OUTSIDE = int(KeypointState.WEAK), int(KeypointState.OUTSIDE)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_states(
    keypoints_xy: Floats, keypoint_scores: Floats, weak_score: float, states: States
) -> None:
    """Seen, weak or missing, as positions (P, K, 2) and scores (P, K) say, into (P, K)."""
    for p in range(states.shape[0]):
        for k in range(states.shape[1]):
            x, y = keypoints_xy[p, k]
            if not (math.isfinite(x) and math.isfinite(y)):
                states[p, k] = MISSING
            else:
                states[p, k] = WEAK if keypoint_scores[p, k] < weak_score else SEEN


@njit(cache=True, nogil=True, error_model="numpy")
def mark_outside(keypoints_xy: Floats, right: float, bottom: float, states: States) -> bool:
    """Sets states (P, K) of keypoints beyond -0.5, ``right`` and ``bottom``; False if none is."""
    anything = False
    for p in range(states.shape[0]):
        for k in range(states.shape[1]):
            x, y = keypoints_xy[p, k]
            inside = x >= -0.5 and y >= -0.5 and x <= right and y <= bottom
            if not inside and states[p, k] != MISSING:
                states[p, k] = OUTSIDE
                anything = True
    return anything
