"""The numba kernels of this room: from a frame to crops in one pass, and back to the frame.

``image`` is (H, W * 3) bytes, a row of blue, green, red, blue, ...

A crop whose rows are rows of the image, as nearly all are, is cut row by row: first the source
rows that it needs are summed into a buffer of one row (contiguous, so the compiler makes vectors of
it), then each pixel gathers its columns from there. That is 6 to 13 times as fast as the way of
crops that turn, which samples each place by itself: 0.2 instead of 2.5 ms for somebody 600 px high.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import kernel

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.int64]
Triple = tuple[float, float, float]
Placing = tuple[Triple, Triple, tuple[float, float]]
"""Shape and spans as ``place_boxes`` has them, and where box centres fall in the output."""

SPARE = 3
"""Floats behind the buffer: the pixel after its last one, which weighs nothing."""


@kernel
def samples_per_pixel(step_px: float, most: int) -> int:
    """Into how many samples an output pixel is divided along one axis of the output."""
    if not step_px > 2.0 + 1e-9:
        return 1
    return min(most, math.ceil(min(step_px, 1e6) / 2.0 - 1e-9))


@kernel
def fill_samples(
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


@kernel
def _weigh_rows(
    image: Bytes, first: int, span: tuple[int, int], rows: Indices, weights: Singles, line: Singles
) -> None:
    """The buffer: the sum of weighted pairs of source rows, from column ``first`` on.

    ``span`` is the first of the samples that count, and the one after the last.
    """
    below, last, fresh = image.shape[0] - 1, first + len(line), True
    for s in range(span[0], span[1]):
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


@kernel
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


@kernel
def column_span(indices: Indices, weights: Singles) -> tuple[int, int]:
    """First source column that has a weight, and the one after the last; (0, 0) for none."""
    first, last = 1 << 60, 0
    for i in range(len(indices)):
        if weights[i, 0] != 0.0 or weights[i, 1] != 0.0:
            first = min(first, indices[i])
            last = max(last, indices[i] + (2 if weights[i, 1] != 0.0 else 1))
    return (first, last) if last else (0, 0)


@kernel
def cut_upright(image: Bytes, inverse: Floats, most: int, crop: Bytes) -> None:
    """Cut a crop whose rows are rows of the image; ``most``, of 4 at most, samples an axis."""
    height, width = image.shape[0], image.shape[1] // 3
    nx = samples_per_pixel(abs(inverse[0, 0]), most)
    ny = samples_per_pixel(abs(inverse[1, 1]), most)
    columns = np.empty(crop.shape[1] * nx, np.int64)
    column_weights = np.empty((crop.shape[1] * nx, 2), np.float32)
    rows = np.empty(crop.shape[0] * ny, np.int64)
    row_weights = np.empty((crop.shape[0] * ny, 2), np.float32)
    fill_samples(inverse[0, 0], inverse[0, 2], nx, width, columns, column_weights)
    fill_samples(inverse[1, 1], inverse[1, 2], ny, height, rows, row_weights)
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


@kernel
def sample(image: Bytes, x: float, y: float) -> tuple[float, float, float]:
    """Blue, green and red at (x, y), bilinear; pixels outside are black."""
    height, width = image.shape[0], image.shape[1] // 3
    if not (-1.0 < x < width and -1.0 < y < height):  # also for NaN
        return 0.0, 0.0, 0.0
    left, top = math.floor(x), math.floor(y)
    right_weight, below_weight = x - left, y - top
    left_weight = 1.0 - right_weight if left >= 0 else 0.0
    above_weight = 1.0 - below_weight if top >= 0 else 0.0
    if left + 1 >= width:
        right_weight = 0.0
    if top + 1 >= height:
        below_weight = 0.0
    above, below = image[max(top, 0)], image[min(top + 1, height - 1)]
    i, j = 3 * max(left, 0), 3 * min(left + 1, width - 1)
    a, b = above_weight * left_weight, above_weight * right_weight
    c, d = below_weight * left_weight, below_weight * right_weight
    blue = a * above[i] + b * above[j] + c * below[i] + d * below[j]
    green = a * above[i + 1] + b * above[j + 1] + c * below[i + 1] + d * below[j + 1]
    red = a * above[i + 2] + b * above[j + 2] + c * below[i + 2] + d * below[j + 2]
    return blue, green, red


@kernel
def cut_turned(image: Bytes, inverse: Floats, most: int, crop: Bytes) -> None:
    """Cut a crop by any affine map."""
    # Three sums: an array of them takes half as long again.
    nx = samples_per_pixel(math.hypot(inverse[0, 0], inverse[1, 0]), most)
    ny = samples_per_pixel(math.hypot(inverse[0, 1], inverse[1, 1]), most)
    share = 1.0 / (nx * ny)
    for y in range(crop.shape[0]):
        for x in range(crop.shape[1]):
            blue = green = red = 0.0
            for j in range(ny):
                v = y + (j + 0.5) / ny - 0.5
                for i in range(nx):
                    u = x + (i + 0.5) / nx - 0.5
                    source_x = inverse[0, 0] * u + inverse[0, 1] * v + inverse[0, 2]
                    source_y = inverse[1, 0] * u + inverse[1, 1] * v + inverse[1, 2]
                    b, g, r = sample(image, source_x, source_y)
                    blue, green, red = blue + b, green + g, red + r
            crop[y, x, 0] = np.uint8(min(blue * share + 0.5, 255.0))
            crop[y, x, 1] = np.uint8(min(green * share + 0.5, 255.0))
            crop[y, x, 2] = np.uint8(min(red * share + 0.5, 255.0))


@kernel
def invert(matrix: Floats, inverse: Floats) -> bool:
    """The affine map's inverse; False if there is none (singular, or not finite)."""
    a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    det = a * d - b * c
    if det == 0.0 or not math.isfinite(matrix.sum()):
        return False
    inverse[0, 0], inverse[0, 1] = d / det, -b / det
    inverse[1, 0], inverse[1, 1] = -c / det, a / det
    for i in range(2):
        inverse[i, 2] = -(inverse[i, 0] * matrix[0, 2] + inverse[i, 1] * matrix[1, 2])
    return math.isfinite(inverse.sum())


@kernel
def cut_all(image: Bytes, matrices: Floats, most: int, crops: NDArray[np.uint8]) -> int:
    """Cut every upright crop, one without a usable map black; how many are left, as they turn."""
    inverse, turned = np.empty((2, 3)), 0
    for p in range(len(matrices)):
        if not invert(matrices[p], inverse):
            crops[p] = 0
        elif inverse[0, 1] == 0.0 and inverse[1, 0] == 0.0:
            cut_upright(image, inverse, most, crops[p])
        else:
            turned += 1
    return turned


@kernel
def cut_turned_ones(image: Bytes, matrices: Floats, most: int, crops: NDArray[np.uint8]) -> None:
    """Cut the crops that ``cut_all`` leaves; apart, as most who come here need not compile it."""
    inverse = np.empty((2, 3))
    for p in range(len(matrices)):
        if invert(matrices[p], inverse) and (inverse[0, 1] != 0.0 or inverse[1, 0] != 0.0):
            cut_turned(image, inverse, most, crops[p])


@kernel
def place_boxes(boxes_xyxy: Floats, shape: Triple, spans: Triple, placements: Floats) -> None:
    """Centre x, y and output px per source px along x, y of the crop of each box: (P, 4) to (P, 4).

    ``shape`` is the aspect of the input, the padding, and by how much centres move. ``spans`` are
    the px of the output that the crop's width spans, the same of its height (0: both scales are
    that of the width), and how much less than its side it spans of the source. A box that is not
    finite gives NaN.
    """
    aspect, padding, offset = shape
    span_x, span_y, less = spans
    for p in range(len(boxes_xyxy)):
        left, top, right, bottom = boxes_xyxy[p]
        if not math.isfinite(left + top + right + bottom):
            placements[p] = np.nan
            continue
        width = max(max(right - left, 1.0), max(bottom - top, 1.0) * aspect) * padding
        factor = span_x / (width - less)
        placements[p, 0] = (left + right) / 2 + offset
        placements[p, 1] = (top + bottom) / 2 + offset
        placements[p, 2] = factor
        placements[p, 3] = span_y / (width / aspect - less) if span_y > 0.0 else factor


@kernel
def fill_matrices(
    boxes_xyxy: Floats, turns_rad: Floats, placing: Placing, matrices: Floats
) -> None:
    """Affine maps from image to output px, (P, 2, 3), of boxes (P, 4) turned by (P,) or (0,)."""
    shape, spans, target = placing
    placements = np.empty(boxes_xyxy.shape)
    place_boxes(boxes_xyxy, shape, spans, placements)
    for p in range(len(boxes_xyxy)):
        centre_x, centre_y, factor_x, factor_y = placements[p]
        cos, sin = 1.0, 0.0
        if len(turns_rad) > 0:
            cos, sin = math.cos(turns_rad[p]), math.sin(turns_rad[p])
        a, b, c, d = factor_x * cos, factor_x * sin, factor_y * (0.0 - sin), factor_y * cos
        matrices[p, 0, 0], matrices[p, 0, 1] = a, b
        matrices[p, 1, 0], matrices[p, 1, 1] = c, d
        matrices[p, 0, 2] = target[0] - (a * centre_x + b * centre_y)
        matrices[p, 1, 2] = target[1] - (c * centre_x + d * centre_y)


@kernel
def to_image(
    heatmap_xy: Floats,
    covariance: Floats,
    boxes_xyxy: Floats,
    placing: Placing,
    image_xy: Floats,
    covariance_px2: Floats,
) -> None:
    """Heatmap coordinates (P, K, 2) and covariances (P, K, 2, 2) of upright crops in image px."""
    shape, spans, target = placing
    placements = np.empty(boxes_xyxy.shape)
    place_boxes(boxes_xyxy, shape, spans, placements)
    for p in range(heatmap_xy.shape[0]):
        centre_x, centre_y, factor_x, factor_y = placements[p]
        for k in range(heatmap_xy.shape[1]):
            image_xy[p, k, 0] = centre_x + (heatmap_xy[p, k, 0] - target[0]) / factor_x
            image_xy[p, k, 1] = centre_y + (heatmap_xy[p, k, 1] - target[1]) / factor_y
            covariance_px2[p, k, 0, 0] = covariance[p, k, 0, 0] / (factor_x * factor_x)
            covariance_px2[p, k, 0, 1] = covariance[p, k, 0, 1] / (factor_x * factor_y)
            covariance_px2[p, k, 1, 0] = covariance[p, k, 1, 0] / (factor_x * factor_y)
            covariance_px2[p, k, 1, 1] = covariance[p, k, 1, 1] / (factor_y * factor_y)
