"""How a keypoint came to be where it is."""

import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import kernel

Floats = NDArray[np.float64]
States = NDArray[np.uint8]

WEAK_SCORE = 0.2
"""A keypoint that scores less is hardly believed, and is not drawn unless asked for."""


class KeypointState(IntEnum):
    """How a keypoint came to be where it is."""

    MISSING = 0
    """It is not there: its position is NaN."""
    SEEN = 1
    """Measured in this image."""
    WEAK = 2
    """Measured, with a score under ``WEAK_SCORE``."""
    OUTSIDE = 3
    """It lies outside the frame: nothing of it can be seen."""
    PREDICTED = 4
    """Not measured, or measured where it cannot be: it lies where it should be by its motion."""
    PROPAGATED = 5
    """Not looked at in this image: there the prediction is as good as a measurement."""

    @property
    def word(self) -> str:
        """The state as files write it: ``seen``, ``weak``, ..."""
        return self.name.lower()


MISSING, SEEN = int(KeypointState.MISSING), int(KeypointState.SEEN)
WEAK, OUTSIDE = int(KeypointState.WEAK), int(KeypointState.OUTSIDE)


@kernel
def fill_states(keypoints_xy: Floats, keypoint_scores: Floats, states: States) -> None:
    """Seen, weak or missing, as positions (P, K, 2) and scores (P, K) say, into (P, K)."""
    for p in range(states.shape[0]):
        for k in range(states.shape[1]):
            x, y = keypoints_xy[p, k]
            if not (math.isfinite(x) and math.isfinite(y)):
                states[p, k] = MISSING
            else:
                states[p, k] = WEAK if keypoint_scores[p, k] < WEAK_SCORE else SEEN


@kernel
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
