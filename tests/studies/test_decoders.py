"""The decoders that try to beat DARK: right on a Gaussian, and sane where there is none."""

import numpy as np
import pytest

from livepose.errors import UsageError
from livepose.estimator import Estimates
from livepose.heatmaps import encode_dark
from studies.peers.decoders import (
    REACH,
    REFINEMENTS,
    fuse,
    refined,
    variants_of,
)

HW = (32, 24)


def gaussians(sigma: float = 1.5, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    xy = random.uniform(4, (HW[1] - 5, HW[0] - 5), (count, 17, 2))
    return encode_dark(xy, np.ones((count, 17)), HW, sigma).targets, xy


@pytest.mark.parametrize("method", sorted(REFINEMENTS))
def test_the_centre_of_a_gaussian_comes_back(method: str) -> None:
    maps, xy = gaussians(count=20)
    found, scores = refined(maps, method, 3)
    assert np.abs(found - xy).max() < 0.02
    assert np.allclose(scores, maps.max(axis=(2, 3)))


@pytest.mark.parametrize("method", sorted(REFINEMENTS))
def test_nothing_goes_farther_than_it_looked(method: str) -> None:
    maps = np.random.default_rng(1).random((30, 17, *HW)).astype(np.float32)
    found, _ = refined(maps, method, 3)
    highest = maps.reshape(30, 17, -1).argmax(axis=2)
    cells = np.stack([highest % HW[1], highest // HW[1]], axis=2)
    assert np.abs(found - cells).max() <= REACH


@pytest.mark.parametrize("method", sorted(REFINEMENTS))
def test_a_map_that_says_nothing_gives_nothing(method: str) -> None:
    maps = np.zeros((1, 3, *HW), np.float32)
    maps[0, 1] = -0.5
    maps[0, 2, 5, 5] = np.nan
    found, scores = refined(maps, method, 3)
    assert np.isnan(found).all()
    assert (scores == 0).all()
    assert refined(np.empty((0, 17, *HW), np.float32), method, 3)[0].shape == (0, 17, 2)


def estimates(xy: list[float], variance: float | None, score: float = 0.8) -> Estimates:
    covariance = np.full((1, 1, 2, 2), np.nan) if variance is None else variance * np.eye(2)
    return Estimates(
        np.array(xy).reshape(1, 1, 2), np.full((1, 1), score), covariance.reshape(1, 1, 2, 2)
    )


def test_the_surer_answer_pulls_more() -> None:
    fused = fuse(estimates([0, 0], 1.0), estimates([4, 8], 3.0))
    assert np.allclose(fused.keypoints_xy, [1, 2])
    assert np.allclose(fused.covariance_px2, 0.75 * np.eye(2))


def test_fusing_needs_a_flip_test() -> None:
    with pytest.raises(UsageError, match="--flip-test"):
        variants_of(("fused",), ("none",))
    assert len(variants_of(("dark", "fused"), ("none", "aligned"))) == 3
