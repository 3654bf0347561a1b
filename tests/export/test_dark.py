"""DARK as torch operations, against the kernels and the golden cases."""

import numpy as np
import pytest
import torch

from livepose.export import graph
from livepose.heatmaps import blur_taps, decode_dark


def decoded(heatmaps, kernel):
    taps = torch.from_numpy(blur_taps(kernel).copy())
    figures = graph.decode_dark(torch.from_numpy(heatmaps), taps).numpy()
    assert figures.dtype == np.float64
    covariance = figures[..., [3, 4, 4, 5]].reshape(*figures.shape[:2], 2, 2)
    return figures[..., :2], figures[..., 2], covariance


@pytest.mark.parametrize("kernel", [3, 11])
def test_every_golden_map_is_decoded_as_by_the_kernels(shared, kernel):
    """To rounding of float64: a step divides by a determinant, which may be tiny."""
    golden = np.load(shared / "golden" / "decode.npz")
    maps = [golden[name].astype(np.float32) for name in golden if name.endswith("/heatmaps")]
    assert len(maps) == 52
    for heatmaps in maps:
        xy, scores, covariance = decoded(heatmaps, kernel)
        kernels = decode_dark(heatmaps, kernel)
        np.testing.assert_array_equal(scores, kernels.scores)
        np.testing.assert_allclose(xy, kernels.xy, rtol=0, atol=1e-9)
        np.testing.assert_allclose(covariance, kernels.covariance, rtol=1e-6, atol=1e-9)


def test_a_map_of_equal_cells_has_no_covariance_and_stays():
    xy, scores, covariance = decoded(np.full((1, 1, 16, 12), 0.3, np.float32), 11)
    assert xy.tolist() == [[[0.0, 0.0]]]
    assert scores[0, 0] == np.float32(0.3)
    assert np.isnan(covariance).all()
