"""DARK as torch operations, against the kernels and the golden cases."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.export import dark
from livepose.heatmaps import blur_taps, decode_dark

SIZES = ("32x24", "64x48", "96x72", "40x56")
KERNELS = (3, 5, 7, 11, 17)


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared / "golden" / "decode.npz") as archive:
        return dict(archive)


def decoded(heatmaps, kernel):
    taps = torch.from_numpy(blur_taps(kernel).copy())
    figures = dark.decode_dark(torch.from_numpy(heatmaps), taps).numpy()
    assert figures.dtype == np.float64
    xy, score, (xx, xy_, yy) = (
        figures[..., :2],
        figures[..., 2],
        np.moveaxis(figures[..., 3:], 2, 0),
    )
    return xy, score, np.stack([xx, xy_, xy_, yy], axis=-1).reshape(*score.shape, 2, 2)


def assert_same(heatmaps, kernel):
    """To rounding of float64: a step divides by a determinant, which may be tiny."""
    xy, scores, covariance = decoded(heatmaps, kernel)
    kernels = decode_dark(heatmaps, kernel)
    np.testing.assert_array_equal(scores, kernels.scores)
    np.testing.assert_allclose(xy, kernels.xy, rtol=0, atol=1e-9)
    np.testing.assert_allclose(covariance, kernels.covariance, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_every_golden_map_is_decoded_as_by_the_kernels(golden, size):
    groups = sorted({name.split("/")[0] for name in golden if name.startswith(size)})
    assert len(groups) == 13
    for group in groups:
        for kernel in KERNELS:
            assert_same(golden[f"{group}/heatmaps"].astype(np.float32), kernel)


@st.composite
def odd_maps(draw):
    """Maps with plateaus, ties, zeros, tiny and wild values, peaks anywhere."""
    height, width = draw(st.integers(5, 12)), draw(st.integers(5, 12))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    maps = random.normal(size=(2, 3, height, width)).astype(np.float32)
    levels = draw(st.sampled_from([None, 1, 2, 5]))
    if levels is not None:
        maps = np.round(maps * levels) / levels
    maps *= np.float32(draw(st.sampled_from([1.0, 1e-12, 1e-30, 1e30])))
    if draw(st.booleans()):
        maps = np.abs(maps)
    for wild in draw(st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0]), max_size=3)):
        maps[random.integers(2), random.integers(3), random.integers(height)] = wild
    return maps.astype(np.float32)


@settings(deadline=None, max_examples=150)
@given(odd_maps(), st.sampled_from([1, 3, 5, 11]))
def test_odd_maps_are_decoded_as_by_the_kernels(maps, kernel):
    assert_same(maps, kernel)


def test_a_map_of_equal_cells_has_no_covariance_and_stays():
    xy, scores, covariance = decoded(np.full((1, 1, 16, 12), 0.3, np.float32), 11)
    assert xy.tolist() == [[[0.0, 0.0]]]
    plateau = np.zeros((1, 1, 24, 24), np.float32)
    plateau[..., 4:20, 4:20] = 0.3
    plateau[..., 11, 11] = np.nextafter(np.float32(0.3), np.float32(1))
    assert_same(plateau, 3)
    assert scores[0, 0] == np.float32(0.3)
    assert np.isnan(covariance).all()
