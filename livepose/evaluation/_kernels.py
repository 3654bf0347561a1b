"""Average precision of many resamples at once."""

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit


@njit(cache=True, nogil=True)
def precision_and_recall(
    true: NDArray[np.bool_],
    false: NDArray[np.bool_],
    picture: NDArray[np.int64],
    people: NDArray[np.int64],
    draws: NDArray[np.int64],
    thresholds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average precision and last recall, (B, T) each, NaN where a draw has nobody.

    ``true`` and ``false`` (T, N) best first, ``picture`` (N,), ``people`` (I,), ``draws`` (B, I):
    how often each picture counts; ``thresholds`` ascending recalls.
    """
    steps, found = true.shape
    average = np.full((len(draws), steps), np.nan)
    reached = np.full((len(draws), steps), np.nan)
    recall, precision = np.empty(found), np.empty(found)
    for draw in range(len(draws)):
        wanted = 0
        for index in range(len(people)):
            wanted += people[index] * draws[draw, index]
        if wanted == 0:
            continue
        for step in range(steps):
            right, wrong = 0, 0
            for index in range(found):
                times = draws[draw, picture[index]]
                right += times * true[step, index]
                wrong += times * false[step, index]
                recall[index] = right / wanted
                precision[index] = right / max(right + wrong, 1)
            reached[draw, step] = right / wanted
            average[draw, step] = interpolated(recall, precision, thresholds)
    return average, reached


@njit(cache=True, nogil=True)
def interpolated(
    recall: NDArray[np.float64], precision: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> float:
    """Mean over recall thresholds of the best precision at that recall or beyond, 0 if none."""
    best, total, left = 0.0, 0.0, len(thresholds) - 1
    while left >= 0 and (len(recall) == 0 or thresholds[left] > recall[-1]):
        left -= 1
    for index in range(len(recall) - 1, -1, -1):
        best = max(best, precision[index])
        before = recall[index - 1] if index > 0 else -1.0
        while left >= 0 and thresholds[left] > before:
            total += best
            left -= 1
    return total / len(thresholds)
