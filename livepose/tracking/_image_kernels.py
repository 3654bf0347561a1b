"""Numba kernels that look at the image: colours worn, and how alike two images are."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def count_colours(patch_bgr: NDArray[np.uint8], bins: int, counts: NDArray[np.float32]) -> None:
    """Adds the pixels of a patch (h, w, 3) to ``counts`` (bins³,), red changing fastest."""
    for y in range(patch_bgr.shape[0]):
        for x in range(patch_bgr.shape[1]):
            place = 0
            for channel in range(3):
                place = place * bins + (int(patch_bgr[y, x, channel]) * bins >> 8)
            counts[place] += 1


@njit(cache=True, nogil=True)
def shrink(image_bgr: NDArray[np.uint8], samples: int, thumbnail: Floats) -> None:
    """Mean grey of each cell (h, w), from samples x samples of its pixels."""
    rows, columns = thumbnail.shape[0] * samples, thumbnail.shape[1] * samples
    height, width = image_bgr.shape[0], image_bgr.shape[1]
    share = 1.0 / (3 * samples * samples)
    places = np.empty(columns, np.int64)
    for j in range(columns):
        places[j] = (j * width) // columns
    thumbnail[:] = 0.0
    for i in range(rows):
        y = (i * height) // rows
        for column in range(thumbnail.shape[1]):
            total = 0
            for j in range(column * samples, (column + 1) * samples):
                pixel = image_bgr[y, places[j]]
                total += int(pixel[0]) + int(pixel[1]) + int(pixel[2])
            thumbnail[i // samples, column] += share * total


@njit(cache=True, nogil=True, error_model="numpy")
def unlike(before: Floats, now: Floats, least_change: float, least_correlation: float) -> bool:
    """Whether two thumbnails (h, w) differ by that much, and are hardly correlated."""
    change = first = second = 0.0
    for i in range(before.size):
        one, two = before.flat[i], now.flat[i]
        change, first, second = change + abs(two - one), first + one, second + two
    if change < least_change * before.size:
        return False
    first, second = first / before.size, second / before.size
    both = one_squared = two_squared = 0.0
    for i in range(before.size):
        one, two = before.flat[i] - first, now.flat[i] - second
        both += one * two
        one_squared, two_squared = one_squared + one * one, two_squared + two * two
    return both < least_correlation * math.sqrt(one_squared * two_squared)
