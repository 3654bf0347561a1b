"""The numba kernels of this room: no validation, no allocation that a map would notice.

Maps come as (P, K, H, W), contiguous, float32 or float64. IEEE floats order like their bits, so
the highest cell and "is any cell not finite" are both integer maxima of the same memory, which the
compiler turns into vector instructions (a float maximum it may not, because of NaN).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from livepose.compiled import kernel

Real = NDArray[np.float32] | NDArray[np.float64]
Floats = NDArray[np.float64]
Bits = NDArray[np.int32] | NDArray[np.int64]
UnsignedBits = NDArray[np.uint32] | NDArray[np.uint64]

LOG_FLOOR = 1e-10
"""Values below are raised to it before the logarithm."""

REACH = 2.0
"""Cells: the derivatives are measured that far around the highest cell."""

CHUNK = 128
"""Cells that are scanned in one go."""


def bits_of(maps: Real) -> tuple[Bits, UnsignedBits, int, int]:
    """The memory of maps as signed and unsigned integers, and the bits of +inf and -inf in them."""
    raise NotImplementedError("only within a kernel, which knows how wide the numbers are")


@overload(bits_of)
def _bits_of(maps: Any) -> Callable[..., Any]:
    wide = maps.dtype == types.float64
    signed, unsigned = (np.int64, np.uint64) if wide else (np.int32, np.uint32)
    positive_inf = signed(0x7FF0000000000000 if wide else 0x7F800000)
    negative_inf = unsigned(0xFFF0000000000000 if wide else 0xFF800000)

    def typed(maps: Any) -> Any:
        return maps.view(signed), maps.view(unsigned), positive_inf, negative_inf

    return typed


@kernel
def peak_index(bits: Bits, unsigned: UnsignedBits, positive_inf: int, negative_inf: int) -> int:
    """Index of the first highest cell of one map, or -1: not positive, or a cell is not finite."""
    best, best_start = bits[0], 0
    worst = unsigned[0]
    for start in range(0, len(bits), CHUNK):
        # Slices and plain indices from 0: the form that is vectorised.
        part, unsigned_part = bits[start : start + CHUNK], unsigned[start : start + CHUNK]
        high, wild = part[0], unsigned_part[0]
        for i in range(len(part)):
            high = max(high, part[i])
            wild = max(wild, unsigned_part[i])
        worst = max(worst, wild)
        if high > best:
            best, best_start = high, start
    if best <= 0 or best >= positive_inf or worst >= negative_inf:
        return -1
    i = best_start
    while bits[i] != best:
        i += 1
    return i


@kernel
def find_peaks(maps: Real, xy: Floats, scores: Floats) -> None:
    """Column and row of the highest cell of each map, and its value; NaN and 0 without one."""
    people, keypoints, height, width = maps.shape
    bits, unsigned, positive_inf, negative_inf = bits_of(maps)
    flat_bits = bits.reshape(people, keypoints, height * width)
    flat_unsigned = unsigned.reshape(people, keypoints, height * width)
    for p in range(people):
        for k in range(keypoints):
            index = peak_index(flat_bits[p, k], flat_unsigned[p, k], positive_inf, negative_inf)
            if index < 0:
                xy[p, k, 0] = xy[p, k, 1] = np.nan
                scores[p, k] = 0.0
            else:
                y = index // width
                x = index - y * width
                xy[p, k, 0], xy[p, k, 1], scores[p, k] = x, y, maps[p, k, y, x]


@kernel
def shift_quarter(maps: Real, xy: Floats) -> None:
    """Move each peak a quarter of a cell towards its higher neighbour, where it has all four."""
    people, keypoints, height, width = maps.shape
    for p in range(people):
        for k in range(keypoints):
            x, y = xy[p, k]
            if not (1 < x < width - 1 and 1 < y < height - 1):  # also false for NaN
                continue
            heatmap, column, row = maps[p, k], int(x), int(y)
            right, left = float(heatmap[row, column + 1]), float(heatmap[row, column - 1])
            below, above = float(heatmap[row + 1, column]), float(heatmap[row - 1, column])
            xy[p, k, 0] += 0.25 * np.sign(right - left)
            xy[p, k, 1] += 0.25 * np.sign(below - above)


@kernel
def copy_patch(heatmap: Real, x: int, y: int, patch: Floats) -> None:
    """Square of the map around (x, y), 0 outside the map."""
    height, width = heatmap.shape
    side = len(patch)
    top, left = y - side // 2, x - side // 2
    if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
        for i in range(side):
            for j in range(side):
                patch[i, j] = heatmap[top + i, left + j]
        return
    patch[:] = 0.0
    for i in range(max(0, -top), min(side, height - top)):
        for j in range(max(0, -left), min(side, width - left)):
            patch[i, j] = heatmap[top + i, left + j]


@kernel
def blur_around(heatmap: Real, x: int, y: int, taps: Floats, patch: Floats, window: Floats) -> None:
    """The blurred map around (x, y), into ``window`` (5, 5); cells outside the map count as 0.

    The derivatives need 13 of the 25 cells; whole rows are cheaper than leaving corners out.
    ``patch`` is scratch of (k + 4, k + 4). Sums stay in five registers, because an array would
    be written back at every tap.
    """
    copy_patch(heatmap, x, y, patch)
    for i in range(len(patch)):
        a = b = c = d = e = 0.0
        for t in range(len(taps)):
            tap = taps[t]
            a += tap * patch[i, t]
            b += tap * patch[i, t + 1]
            c += tap * patch[i, t + 2]
            d += tap * patch[i, t + 3]
            e += tap * patch[i, t + 4]
        patch[i, 0], patch[i, 1], patch[i, 2], patch[i, 3], patch[i, 4] = a, b, c, d, e
    for j in range(5):
        a = b = c = d = e = 0.0
        for t in range(len(taps)):
            tap = taps[t]
            a += tap * patch[j + t, 0]
            b += tap * patch[j + t, 1]
            c += tap * patch[j + t, 2]
            d += tap * patch[j + t, 3]
            e += tap * patch[j + t, 4]
        window[j, 0], window[j, 1], window[j, 2], window[j, 3], window[j, 4] = a, b, c, d, e


@kernel
def lowest_of_window(window: Floats) -> float:
    """Lowest of the 13 samples that the derivatives need."""
    lowest = float(window[2, 0])
    for j in range(5):
        reach = 2 if j == 2 else 1 if j in (1, 3) else 0
        for i in range(2 - reach, 3 + reach):
            lowest = min(lowest, window[j, i])
    return lowest


@kernel
def blurred_maximum(heatmap: Real, taps: Floats) -> float:
    """Highest cell of the whole blurred map."""
    height, width = heatmap.shape
    radius = len(taps) // 2
    along_x = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for t in range(max(0, radius - x), min(len(taps), width + radius - x)):
                along_x[y, x] += taps[t] * heatmap[y, x + t - radius]
    highest = -np.inf
    for y in range(height):
        for x in range(width):
            total = 0.0
            for t in range(max(0, radius - y), min(len(taps), height + radius - y)):
                total += taps[t] * along_x[y + t - radius, x]
            highest = max(highest, total)
    return highest


@kernel
def raise_to_floor(heatmap: Real, peak: float, taps: Floats, window: Floats) -> bool:
    """Rescale the window to the old maximum and raise it to the floor; False if there is none.

    Rescaling multiplies by (maximum before) / (maximum after). A factor drops out of every
    derivative of the logarithm, and this one is at least 1 (the taps are positive with sum 1).
    So where all samples are above the floor nothing changes, and the blurred maximum, which
    costs a blur of the whole map, is looked for only where one is not.
    """
    if lowest_of_window(window) >= LOG_FLOOR:
        return True
    highest = blurred_maximum(heatmap, taps)
    if highest <= 0.0:
        return False
    factor = peak / highest
    for j in range(5):
        for i in range(5):
            window[j, i] = max(window[j, i] * factor, LOG_FLOOR)
    return True


@kernel
def newton_step(window: Floats) -> tuple[float, float, float, float, float]:
    """Step x, step y and covariance xx, xy, yy from the 13 samples (of the map, not its log).

    Differences of logarithms are taken as logarithms of ratios: five of them instead of 13.
    """
    middle = window[2, 2]
    gx = 0.5 * math.log(window[2, 3] / window[2, 1])
    gy = 0.5 * math.log(window[3, 2] / window[1, 2])
    hxx = 0.25 * math.log((window[2, 4] / middle) * (window[2, 0] / middle))
    hyy = 0.25 * math.log((window[4, 2] / middle) * (window[0, 2] / middle))
    hxy = 0.25 * math.log((window[3, 3] / window[1, 3]) * (window[1, 1] / window[3, 1]))
    det = hxx * hyy - hxy * hxy
    if det == 0.0:
        return 0.0, 0.0, np.nan, np.nan, np.nan
    if not (hxx < 0.0 and 0.0 < det < np.inf):
        return 0.25 * np.sign(gx), 0.25 * np.sign(gy), np.nan, np.nan, np.nan
    cxx, cxy, cyy = -hyy / det, hxy / det, -hxx / det
    step_x, step_y = cxx * gx + cxy * gy, cxy * gx + cyy * gy
    longest = max(abs(step_x), abs(step_y))
    if longest > REACH:
        step_x *= REACH / longest
        step_y *= REACH / longest
    return step_x, step_y, cxx, cxy, cyy


@kernel
def decode_dark_maps(
    maps: Real,
    taps: Floats,
    xy: Floats,
    scores: Floats,
    covariance: Floats,
) -> None:
    """Peak, blur around it, Newton step: for every map."""
    people, keypoints, height, width = maps.shape
    patch = np.empty((len(taps) + 4, len(taps) + 4))
    window = np.empty((5, 5))
    find_peaks(maps, xy, scores)
    covariance[:] = np.nan
    for p in range(people):
        for k in range(keypoints):
            x, y = xy[p, k]
            if not (1 < x < width - 2 and 1 < y < height - 2):  # also false for NaN
                continue
            blur_around(maps[p, k], int(x), int(y), taps, patch, window)
            if not raise_to_floor(maps[p, k], scores[p, k], taps, window):
                continue
            step_x, step_y, cxx, cxy, cyy = newton_step(window)
            xy[p, k, 0], xy[p, k, 1] = x + step_x, y + step_y
            covariance[p, k, 0, 0], covariance[p, k, 1, 1] = cxx, cyy
            covariance[p, k, 0, 1] = covariance[p, k, 1, 0] = cxy


@kernel
def mean_and_spread(weights: Floats, total: float, xy: Floats, covariance: Floats) -> None:
    """Mean position and second central moment of one map of weights with that sum."""
    height, width = weights.shape
    mean_x, mean_y = 0.0, 0.0
    for y in range(height):
        for x in range(width):
            mean_x += weights[y, x] * x
            mean_y += weights[y, x] * y
    mean_x /= total
    mean_y /= total
    xx, xy_, yy = 0.0, 0.0, 0.0
    for y in range(height):
        for x in range(width):
            dx, dy, weight = x - mean_x, y - mean_y, weights[y, x]
            xx += weight * dx * dx
            xy_ += weight * dx * dy
            yy += weight * dy * dy
    xy[0], xy[1] = mean_x, mean_y
    covariance[0, 0], covariance[1, 1] = xx / total, yy / total
    covariance[0, 1] = covariance[1, 0] = xy_ / total


@kernel
def decode_integral_maps(maps: Real, xy: Floats, scores: Floats, covariance: Floats) -> None:
    """Mean position over the positive part of every map whose peak was found (xy is finite)."""
    people, keypoints, height, width = maps.shape
    weights = np.empty((height, width))
    covariance[:] = np.nan
    for p in range(people):
        for k in range(keypoints):
            if math.isnan(xy[p, k, 0]):
                continue
            total = 0.0
            for y in range(height):
                for x in range(width):
                    # Relative to the peak, so that neither huge nor tiny maps leave the range.
                    weights[y, x] = max(float(maps[p, k, y, x]) / scores[p, k], 0.0)
                    total += weights[y, x]
            mean_and_spread(weights, total, xy[p, k], covariance[p, k])


@kernel
def fill_gaussians(
    centres_xy: Floats, drawn: NDArray[np.bool_], sigma: float, reach: float, targets: Real
) -> None:
    """Gaussians of peak 1 around the centres, cut ``reach`` cells away along x and along y."""
    height, width = targets.shape[1:]
    along_x, along_y = np.empty(width), np.empty(height)
    for n in range(targets.shape[0]):
        if not drawn[n]:
            targets[n] = 0.0
            continue
        for along, centre in ((along_x, centres_xy[n, 0]), (along_y, centres_xy[n, 1])):
            for i in range(len(along)):
                d = i - centre
                along[i] = math.exp(-d * d / (2.0 * sigma * sigma)) if abs(d) <= reach else 0.0
        for y in range(height):
            for x in range(width):
                targets[n, y, x] = along_y[y] * along_x[x]
