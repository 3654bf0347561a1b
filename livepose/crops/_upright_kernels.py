"""The kernel that cuts a crop whose rows are rows of the picture, as nearly all are.

Output row by output row: first the source rows that it needs are summed into a buffer of one row
(contiguous, so the compiler makes vectors of it), then each pixel gathers its columns from there.
``image`` is (H, W * 3) bytes, blue first.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]

SPARE = 3
"""Floats behind the buffer: the pixel after its last one, which weighs nothing."""


@njit(cache=True, nogil=True, error_model="numpy")
def samples_per_pixel(step_px: float, most: int) -> int:
    """Into how many samples an output pixel is divided along one axis of the output."""
    if not step_px > 2.0 + 1e-9:
        return 1
    return min(most, math.ceil(min(step_px, 1e6) / 2.0 - 1e-9))


@njit(cache=True, nogil=True, error_model="numpy")
def fill_taps(
    scale: float, offset: float, samples: int, size: int, indices: Indices, weights: Singles
) -> None:
    """Where each sample of an axis lies: left neighbour, and weight of it and of the next.

    Sample s of output pixel i lies at ``scale * (i + (s + 0.5) / samples - 0.5) + offset``.
    Neighbours outside 0..size-1 weigh nothing; weights of a pixel sum to 1 inside.
    """
    for i in range(len(indices)):
        position = scale * ((i + 0.5) / samples - 0.5) + offset
        indices[i] = 0
        weights[i, 0] = weights[i, 1] = 0.0
        if not -1.0 < position < size:  # also for NaN
            continue
        left = math.floor(position)
        fraction = (position - left) / samples
        if left < 0:
            weights[i, 0] = fraction
            continue
        indices[i] = left
        weights[i, 0] = 1.0 / samples - fraction
        if left + 1 < size:
            weights[i, 1] = fraction


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh_rows(
    image: Bytes, first: int, taps: tuple[int, int], rows: Indices, weights: Singles, line: Singles
) -> None:
    """The buffer: the sum of weighted pairs of source rows, from column ``first`` on.

    ``taps`` are the first of the samples that count, and the one after the last.
    """
    below, last, fresh = image.shape[0] - 1, first + len(line), True
    for s in range(taps[0], taps[1]):
        near, far = weights[s, 0], weights[s, 1]
        if near == 0.0 and far == 0.0:
            continue
        above = image[rows[s], first:last]
        # Where the row below is not there it weighs nothing.
        under = image[min(rows[s] + 1, below), first:last]
        if fresh:
            fresh = False
            for i in range(len(line)):
                line[i] = near * np.float32(above[i]) + far * np.float32(under[i])
        else:
            for i in range(len(line)):
                line[i] += near * np.float32(above[i]) + far * np.float32(under[i])
    if fresh:
        line[:] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh_columns(
    line: Singles, samples: int, places: Indices, weights: Singles, pixels: Singles
) -> None:
    """The pixels of an output row, blue first, from the buffer."""
    for x in range(len(places) // samples):
        blue = green = red = np.float32(0.0)
        for s in range(x * samples, (x + 1) * samples):
            for side in range(2):
                place, weight = places[s] + 3 * side, weights[s, side]
                blue += weight * line[place]
                green += weight * line[place + 1]
                red += weight * line[place + 2]
        pixels[3 * x], pixels[3 * x + 1], pixels[3 * x + 2] = blue, green, red


@njit(cache=True, nogil=True, error_model="numpy")
def column_span(indices: Indices, weights: Singles) -> tuple[int, int]:
    """First source column that has a weight, and the one after the last; (0, 0) for none."""
    first, last = 1 << 60, 0
    for i in range(len(indices)):
        if weights[i, 0] != 0.0 or weights[i, 1] != 0.0:
            first = min(first, indices[i])
            last = max(last, indices[i] + (2 if weights[i, 1] != 0.0 else 1))
    return (first, last) if last else (0, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def cut_upright(image: Bytes, inverse: Floats, most: int, crop: Bytes) -> None:
    """Cut a crop whose rows are rows of the image; ``most``, of 4 at most, samples an axis."""
    height, width = image.shape[0], image.shape[1] // 3
    nx = samples_per_pixel(abs(inverse[0, 0]), most)
    ny = samples_per_pixel(abs(inverse[1, 1]), most)
    columns = np.empty(crop.shape[1] * nx, np.int64)
    column_weights = np.empty((crop.shape[1] * nx, 2), np.float32)
    rows = np.empty(crop.shape[0] * ny, np.int64)
    row_weights = np.empty((crop.shape[0] * ny, 2), np.float32)
    fill_taps(inverse[0, 0], inverse[0, 2], nx, width, columns, column_weights)
    fill_taps(inverse[1, 1], inverse[1, 2], ny, height, rows, row_weights)
    first, last = column_span(columns, column_weights)
    places = 3 * (np.maximum(columns, first) - first)
    line = np.zeros(3 * (last - first) + SPARE, np.float32)
    used = line[: 3 * (last - first)]
    pixels = np.empty(crop.shape[1] * 3, np.float32)
    flat = crop.reshape(crop.shape[0], crop.shape[1] * 3)
    for y in range(crop.shape[0]):
        _weigh_rows(image, 3 * first, (y * ny, (y + 1) * ny), rows, row_weights, used)
        _weigh_columns(line, nx, places, column_weights, pixels)
        row = flat[y]
        for i in range(len(row)):
            row[i] = np.uint8(np.int32(min(pixels[i] + np.float32(0.5), np.float32(255.0))))
