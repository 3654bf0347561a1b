"""Slow, plain NumPy twins of the numba kernels: one map, one pixel at a time.

They follow the descriptions in the docstrings of ``livepose.heatmaps`` and ``livepose.crops``,
not the kernels: whole maps are blurred, logarithms are taken before differences, a crop is
sampled pixel by pixel.
"""

import math

import numpy as np

FLOOR = 1e-10
REACH = 2.0
TABLES = {
    1: [1.0],
    3: [0.25, 0.5, 0.25],
    5: [0.0625, 0.25, 0.375, 0.25, 0.0625],
    7: [0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
    9: [c / 256 for c in (4, 13, 30, 51, 60, 51, 30, 13, 4)],
}


def taps(kernel):
    if kernel in TABLES:
        return np.array(TABLES[kernel])
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    weights = np.exp(-((np.arange(kernel) - kernel // 2) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def blur(heatmap, kernel):
    """The whole map, zeros outside, in float64."""
    height, width = heatmap.shape
    padded = np.pad(heatmap.astype(np.float64), kernel // 2)
    weights = taps(kernel)
    along_x = sum(weights[t] * padded[:, t : t + width] for t in range(kernel))
    return sum(weights[t] * along_x[t : t + height] for t in range(kernel))


def peak(heatmap):
    """Column, row and value of the first highest cell, or None."""
    if not np.isfinite(heatmap).all() or heatmap.max() <= 0:
        return None
    row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
    return int(column), int(row), float(heatmap[row, column])


def argmax(heatmap):
    found = peak(heatmap)
    if found is None:
        return [np.nan, np.nan], 0.0, np.full((2, 2), np.nan)
    return [float(found[0]), float(found[1])], found[2], np.full((2, 2), np.nan)


def shift(heatmap):
    xy, score, covariance = argmax(heatmap)
    height, width = heatmap.shape
    if score > 0 and 2 <= xy[0] <= width - 2 and 2 <= xy[1] <= height - 2:
        x, y = int(xy[0]), int(xy[1])
        wide = heatmap.astype(np.float64)
        xy[0] += 0.25 * np.sign(wide[y, x + 1] - wide[y, x - 1])
        xy[1] += 0.25 * np.sign(wide[y + 1, x] - wide[y - 1, x])
    return xy, score, covariance


def integral(heatmap):
    xy, score, covariance = argmax(heatmap)
    if score == 0:
        return xy, score, covariance
    weights = np.clip(heatmap.astype(np.float64) / score, 0, None)
    weights /= weights.sum()
    rows, columns = np.indices(heatmap.shape)
    x, y = (weights * columns).sum(), (weights * rows).sum()
    xx = (weights * (columns - x) ** 2).sum()
    yy = (weights * (rows - y) ** 2).sum()
    xy_ = (weights * (columns - x) * (rows - y)).sum()
    return [x, y], score, np.array([[xx, xy_], [xy_, yy]])


def derivatives(log_map, x, y):
    """Gradient and Hessian of a log map at a cell; second differences two cells wide."""
    at = log_map.__getitem__
    along_x, along_y = at((y, x + 1)) - at((y, x - 1)), at((y + 1, x)) - at((y - 1, x))
    gradient = np.array([along_x, along_y]) / 2
    xx = (at((y, x + 2)) - 2 * at((y, x)) + at((y, x - 2))) / 4
    yy = (at((y + 2, x)) - 2 * at((y, x)) + at((y - 2, x))) / 4
    xy = at((y + 1, x + 1)) - at((y - 1, x + 1)) - at((y + 1, x - 1)) + at((y - 1, x - 1))
    return gradient, np.array([[xx, xy / 4], [xy / 4, yy]])


def dark_step(log_map, x, y):
    """Step and covariance at a cell at least two cells from the border."""
    gradient, hessian = derivatives(log_map, x, y)
    det = hessian[0, 0] * hessian[1, 1] - hessian[0, 1] ** 2
    if det == 0:
        return np.zeros(2), np.full((2, 2), np.nan)
    if not (hessian[0, 0] < 0 and det > 0):
        return 0.25 * np.sign(gradient), np.full((2, 2), np.nan)
    covariance = -np.linalg.inv(hessian)
    step = covariance @ gradient
    return step * min(1.0, REACH / max(np.abs(step).max(), 1e-300)), covariance


def log_of(heatmap, kernel):
    """Logarithm of the map, blurred and rescaled to its old maximum; None if nothing is left."""
    blurred = blur(heatmap, kernel)
    if blurred.max() <= 0:
        return None
    return np.log(np.maximum(blurred * (float(heatmap.max()) / blurred.max()), FLOOR))


def dark(heatmap, kernel=3):
    xy, score, covariance = argmax(heatmap)
    height, width = heatmap.shape
    if score > 0 and 2 <= xy[0] <= width - 3 and 2 <= xy[1] <= height - 3:
        log_map = log_of(heatmap, kernel)
        if log_map is not None:
            step, covariance = dark_step(log_map, int(xy[0]), int(xy[1]))
            xy = [xy[0] + step[0], xy[1] + step[1]]
    return xy, score, covariance


def every(decoder, heatmaps, *arguments):
    """A decoder of one map for (P, K, H, W): xy, scores, covariance."""
    shape = heatmaps.shape[:2]
    xy, scores, covariance = np.empty((*shape, 2)), np.empty(shape), np.empty((*shape, 2, 2))
    for one in np.ndindex(shape):
        xy[one], scores[one], covariance[one] = decoder(heatmaps[one], *arguments)
    return xy, scores, covariance


def crop(image_bgr, matrix, input_hw, most=4):
    """One crop as float64 (h, w, 3), not rounded; black without a usable map."""
    result = np.zeros((*input_hw, 3))
    if not np.isfinite(matrix).all() or np.linalg.det(matrix[:, :2]) == 0:
        return result
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    spans = np.hypot(inverse[0, :2], inverse[1, :2])
    nx, ny = (min(most, max(1, math.ceil(span / 2 - 1e-9))) for span in spans)
    for y in range(input_hw[0]):
        for x in range(input_hw[1]):
            for j in range(ny):
                for i in range(nx):
                    u, v = x + (i + 0.5) / nx - 0.5, y + (j + 0.5) / ny - 0.5
                    result[y, x] += bilinear(image_bgr, inverse @ [u, v, 1]) / (nx * ny)
    return result


def bilinear(image_bgr, point_xy):
    """Colour between four pixels, black outside."""
    left, top = (math.floor(c) for c in point_xy)
    colour = np.zeros(3)
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < image_bgr.shape[0] and 0 <= column < image_bgr.shape[1]:
                weight = (1 - abs(point_xy[0] - column)) * (1 - abs(point_xy[1] - row))
                colour += weight * image_bgr[row, column]
    return colour


def relative_error(heatmaps, reference):
    """Root mean square difference over the reference's standard deviation; NaN stays NaN."""
    difference = np.sqrt(np.mean(np.square(heatmaps.astype(np.float64) - reference)))
    return float(difference / max(float(np.std(reference.astype(np.float64))), 1e-12))
