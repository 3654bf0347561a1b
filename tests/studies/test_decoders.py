"""The decoders that try to beat DARK: right on a Gaussian, and sane where there is none."""

import numpy as np
import pytest

from livepose.errors import UsageError
from livepose.estimator import Estimates
from livepose.heatmaps import encode_dark
from studies.peers.decoders import REACH, REFINEMENTS, fuse, refined, variants_of

HW = (32, 24)


@pytest.mark.parametrize("method", sorted(REFINEMENTS))
def test_a_refinement_finds_the_centre_of_a_gaussian_and_is_sane_elsewhere(method):
    random = np.random.default_rng(3)
    xy = random.uniform(4, (HW[1] - 5, HW[0] - 5), (20, 17, 2))
    maps = encode_dark(xy, np.ones((20, 17)), HW, 1.5).targets
    found, scores = refined(maps, method, 3)
    assert np.abs(found - xy).max() < 0.02
    assert np.allclose(scores, maps.max(axis=(2, 3)))

    noise = random.random((30, 17, *HW), dtype=np.float32)
    found, _ = refined(noise, method, 3)
    highest = noise.reshape(30, 17, -1).argmax(axis=2)
    cells = np.stack([highest % HW[1], highest // HW[1]], axis=2)
    assert np.abs(found - cells).max() <= REACH

    nothing = np.zeros((1, 3, *HW), np.float32)
    nothing[0, 1], nothing[0, 2, 5, 5] = -0.5, np.nan
    found, scores = refined(nothing, method, 3)
    assert np.isnan(found).all()
    assert (scores == 0).all()
    assert refined(noise[:0], method, 3)[0].shape == (0, 17, 2)


def estimates(xy: list[float], variance: float) -> Estimates:
    covariance = variance * np.eye(2).reshape(1, 1, 2, 2)
    return Estimates(np.array(xy).reshape(1, 1, 2), np.full((1, 1), 0.8), covariance)


def test_the_surer_answer_pulls_more_and_fusing_needs_a_flip_test():
    fused = fuse(estimates([0, 0], 1.0), estimates([4, 8], 3.0))
    assert np.allclose(fused.keypoints_xy, [1, 2])
    assert np.allclose(fused.covariance_px2, 0.75 * np.eye(2))
    with pytest.raises(UsageError, match="--flip-test"):
        variants_of(("fused",), ("none",))
    assert len(variants_of(("dark", "fused"), ("none", "aligned"))) == 3
