"""Numba kernel of the calibration: one pass over all keypoints of a frame."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import kernel

Floats = NDArray[np.float64]


@kernel
def calibrate(
    covariance: Floats,
    scores: Floats,
    intercept: Floats,
    slopes: tuple[float, float, float, float],
    expected: Floats,
) -> None:
    """Covariances of the expected error, (P, K, 2, 2), from those of the peaks and their scores.

    ``slopes`` are those of ``Calibration``. The two may be the same memory.
    """
    shape, height, flat, least_score = slopes
    for p in range(scores.shape[0]):
        for k in range(scores.shape[1]):
            peak, error = covariance[p, k], expected[p, k]
            if not scores[p, k] > 0.0:
                error[:] = np.nan
                continue
            log = intercept[k] + height * math.log(max(scores[p, k], least_score))
            variance = (peak[0, 0] + peak[1, 1]) / 2
            if variance > 0.0:
                share = math.exp(2.0 * log + shape * math.log(variance)) / variance
                error[:] = share * peak
            else:
                error[0, 0] = error[1, 1] = math.exp(2.0 * (log + flat))
                error[0, 1] = error[1, 0] = 0.0
