"""The numba kernels of this room: from a frame to crops in one pass, and back to the frame.

``image`` is (H, W * 3) bytes, a row of blue, green, red, blue, ...
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.crops._upright_kernels import cut_upright, fill_taps, samples_per_pixel

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Triple = tuple[float, float, float]


@njit(cache=True, nogil=True, error_model="numpy")
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
    above, below = max(top, 0), min(top + 1, height - 1)
    i, j = 3 * max(left, 0), 3 * min(left + 1, width - 1)
    a, b = above_weight * left_weight, above_weight * right_weight
    c, d = below_weight * left_weight, below_weight * right_weight
    return (
        a * image[above, i] + b * image[above, j] + c * image[below, i] + d * image[below, j],
        a * image[above, i + 1]
        + b * image[above, j + 1]
        + c * image[below, i + 1]
        + d * image[below, j + 1],
        a * image[above, i + 2]
        + b * image[above, j + 2]
        + c * image[below, i + 2]
        + d * image[below, j + 2],
    )


@njit(cache=True, nogil=True, error_model="numpy")
def cut_turned(image: Bytes, inverse: Floats, most: int, crop: Bytes) -> None:
    """Cut a crop by any affine map."""
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
                    blue += b
                    green += g
                    red += r
            crop[y, x, 0] = np.uint8(min(blue * share + 0.5, 255.0))
            crop[y, x, 1] = np.uint8(min(green * share + 0.5, 255.0))
            crop[y, x, 2] = np.uint8(min(red * share + 0.5, 255.0))


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def cut_turned_ones(image: Bytes, matrices: Floats, most: int, crops: NDArray[np.uint8]) -> None:
    """Cut the crops that ``cut_all`` leaves; apart, as most who come here need not compile it."""
    inverse = np.empty((2, 3))
    for p in range(len(matrices)):
        if invert(matrices[p], inverse) and (inverse[0, 1] != 0.0 or inverse[1, 0] != 0.0):
            cut_turned(image, inverse, most, crops[p])


@njit(cache=True, nogil=True, error_model="numpy")
def spread_taps(
    scale: float,
    offset: float,
    most: int,
    size: int,
    start: int,
    stride: int,
    indices: NDArray[np.int32],
    weights: Singles,
) -> None:
    """The taps of one axis, (n, 2 * samples) of each, as places in memory: near, far, near, ...

    Source pixel i of the axis is at ``start + i * stride``. A tap that weighs nothing points at a
    pixel that is there.
    """
    samples = samples_per_pixel(abs(scale), most)
    lefts = np.empty(len(indices) * samples, np.int64)
    pairs = np.empty((len(lefts), 2), np.float32)
    fill_taps(scale, offset, samples, size, lefts, pairs)
    indices[:] = start
    weights[:] = 0.0
    for i in range(len(lefts)):
        pixel, tap = i // samples, 2 * (i % samples)
        for side in range(2):
            far = side if pairs[i, 1] != 0.0 else 0
            indices[pixel, tap + side] = start + (lefts[i] + far) * stride
            weights[pixel, tap + side] = pairs[i, side]


@njit(cache=True, nogil=True, error_model="numpy")
def most_samples(matrices: Floats, most: int) -> int:
    """How many samples along an axis the map that needs the most of them needs."""
    inverse, samples = np.empty((2, 3)), 1
    for p in range(len(matrices)):
        if invert(matrices[p], inverse):
            for axis in range(2):
                samples = max(samples, samples_per_pixel(abs(inverse[axis, axis]), most))
    return samples


@njit(cache=True, nogil=True, error_model="numpy")
def fill_crop_taps(
    matrices: Floats,
    frames: NDArray[np.int64],
    most: int,
    rows: NDArray[np.int32],
    row_weights: Singles,
    columns: NDArray[np.int32],
    column_weights: Singles,
) -> bool:
    """Taps of upright crops; ``frames`` holds first pixel, height and width for each of them.

    False if a crop is not upright. One without a usable map weighs nothing: it is black.
    """
    inverse = np.empty((2, 3))
    for p in range(len(matrices)):
        start, height, width = frames[p]
        if not invert(matrices[p], inverse):
            rows[p], columns[p] = start, 0
            row_weights[p], column_weights[p] = 0.0, 0.0
            continue
        if inverse[0, 1] != 0.0 or inverse[1, 0] != 0.0:
            return False
        spread_taps(
            inverse[1, 1], inverse[1, 2], most, height, start, width, rows[p], row_weights[p]
        )
        spread_taps(inverse[0, 0], inverse[0, 2], most, width, 0, 1, columns[p], column_weights[p])
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def place_boxes(
    boxes_xyxy: Floats,
    shape: Triple,
    spans: Triple,
    placements: Floats,
) -> None:
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


@njit(cache=True, nogil=True, error_model="numpy")
def fill_matrices(
    boxes_xyxy: Floats,
    turns_rad: Floats,
    placing: tuple[Triple, Triple, tuple[float, float]],
    matrices: Floats,
) -> None:
    """Affine maps from image to output px, (P, 2, 3), of boxes (P, 4) turned by (P,), or by (0,).

    ``placing`` are shape and spans as ``place_boxes`` has them, and where box centres fall.
    """
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


@njit(cache=True, nogil=True, error_model="numpy")
def to_image(
    heatmap_xy: Floats,
    covariance: Floats,
    boxes_xyxy: Floats,
    placing: tuple[Triple, Triple, tuple[float, float]],
    image_xy: Floats,
    covariance_px2: Floats,
) -> None:
    """Heatmap coordinates (P, K, 2) and covariances (P, K, 2, 2) of upright crops in image px.

    ``placing`` are shape and spans as ``place_boxes`` has them, and where box centres fall.
    """
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
