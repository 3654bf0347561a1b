"""DARK decoding of one person, 17 maps of 32x24, kernel 3: kernel, NumPy twin, OpenCV blur.

Off by default. ``pytest -o addopts=--import-mode=importlib --benchmark-only tests/heatmaps``
runs all three in one go, one core each.
"""

import cv2
import numpy as np
import pytest
import reference

from livepose.heatmaps import decode_dark, encode_dark


@pytest.fixture(scope="module")
def one_person():
    rng = np.random.default_rng(0)
    joints = rng.uniform((4, 4), (19, 27), (1, 17, 2))
    maps = encode_dark(joints, np.ones((1, 17)), (32, 24), 2.0).targets
    return maps + rng.normal(0, 0.01, maps.shape).astype(np.float32)


def dark_with_opencv(heatmaps, kernel=3):
    """The usual way: OpenCV blurs the whole map, NumPy does the rest."""
    border = kernel // 2
    people, keypoints, height, width = heatmaps.shape
    xy = np.empty((people, keypoints, 2))
    for index in np.ndindex(people, keypoints):
        heatmap = heatmaps[index]
        y, x = divmod(int(heatmap.argmax()), width)
        xy[index] = x, y
        if heatmap[y, x] <= 0 or not (1 < x < width - 2 and 1 < y < height - 2):
            continue
        padded = cv2.copyMakeBorder(heatmap, *[border] * 4, cv2.BORDER_CONSTANT, value=0)
        blurred = cv2.GaussianBlur(padded, (kernel, kernel), 0)[border:-border, border:-border]
        log_map = np.log(np.maximum(blurred * (heatmap[y, x] / blurred.max()), 1e-10))
        xy[index] += newton(log_map[y - 2 : y + 3, x - 2 : x + 3].tolist())
    return xy


def newton(rows):
    """Taylor step in plain Python numbers, which is the quickest way without a compiler."""
    gx, gy = (rows[2][3] - rows[2][1]) / 2, (rows[3][2] - rows[1][2]) / 2
    xx = (rows[2][4] - 2 * rows[2][2] + rows[2][0]) / 4
    yy = (rows[4][2] - 2 * rows[2][2] + rows[0][2]) / 4
    xy = (rows[3][3] - rows[1][3] - rows[3][1] + rows[1][1]) / 4
    det = xx * yy - xy * xy
    return (xy * gy - yy * gx) / det, (xy * gx - xx * gy) / det


def test_the_three_ways_agree(one_person):
    ours = decode_dark(one_person).xy
    np.testing.assert_allclose(ours, reference.every(reference.dark, one_person)[0], atol=1e-6)
    np.testing.assert_allclose(ours, dark_with_opencv(one_person), atol=1e-4)


@pytest.mark.benchmark(group="dark, one person")
def test_benchmark_decode_dark(benchmark, one_person):
    decode_dark(one_person)  # compiled before the clock starts
    benchmark(decode_dark, one_person)


@pytest.mark.benchmark(group="dark, eight people")
def test_benchmark_decode_dark_of_eight(benchmark, one_person):
    eight = np.repeat(one_person, 8, axis=0)
    decode_dark(eight)
    benchmark(decode_dark, eight)


@pytest.mark.benchmark(group="dark, one person")
def test_benchmark_the_numpy_twin(benchmark, one_person):
    benchmark(reference.every, reference.dark, one_person)


@pytest.mark.benchmark(group="dark, one person")
def test_benchmark_an_opencv_blur(benchmark, one_person):
    cv2.setNumThreads(1)
    benchmark(dark_with_opencv, one_person)
