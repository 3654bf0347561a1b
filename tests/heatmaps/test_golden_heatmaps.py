"""The published reference's numbers, one case of a kind of decode.npz and encode.npz.

What differs on purpose:

- no positive peak: the reference gives (0, 0) (MMPose (-1, -1)), livepose NaN with score 0;
- ``very_noisy``: steps beyond the two cells in which the derivatives were measured are shortened
  to two cells (the reference goes up to 400 px, outside the map), and where the Hessian is not
  negative definite the step is a quarter pixel up the gradient (the reference steps to the saddle
  or to the bottom of the bowl).

MMPose's UDP decoding and its per-axis quarter shift at borders are other decoders.
"""

import numpy as np
import pytest

from livepose.heatmaps import (
    decode_argmax,
    decode_dark,
    decode_shift,
    encode_dark,
    encode_standard,
)

KERNELS = (3, 5, 7, 11, 17)
KINDS = (
    *("clean", "integer_peak", "half_pixel", "noisy", "very_noisy", "two_peaks", "border"),
    *("outside", "tiny", "tiny_noisy", "hrnet_like", "quantised"),
    "special",  # zeros, flat -0.5, random negative, negative with a peak that is negative too
)


@pytest.fixture(scope="module")
def decoded(shared):
    with np.load(shared / "golden" / "decode.npz") as archive:
        return dict(archive)


@pytest.mark.parametrize("kind", KINDS)
def test_decoders_find_the_coordinates_of_the_reference(decoded, kind):
    for size in ("32x24", "40x56"):
        group = f"{size}_{kind}"
        heatmaps, scores = decoded[f"{group}/heatmaps"], decoded[f"{group}/scores"]
        positive = scores > 0
        first, moved = decode_argmax(heatmaps), decode_shift(heatmaps)
        start, shifted = decoded[f"{group}/argmax_xy"], decoded[f"{group}/shift_xy"]
        np.testing.assert_array_equal(first.xy[positive], start[positive])
        np.testing.assert_array_equal(moved.xy[positive], shifted[positive])
        for kernel in KERNELS:
            found = decode_dark(heatmaps, blur_kernel=kernel)
            np.testing.assert_array_equal(found.scores, np.where(positive, scores, 0))
            assert np.isnan(found.xy[~positive]).all()
            if kind == "very_noisy":
                assert np.abs(found.xy - start)[positive].max() <= 2.0 + 1e-9
                continue
            for name in ("dark", "mmpose_dark"):
                wanted = decoded[f"{group}/kernel{kernel}_{name}_xy"]
                np.testing.assert_allclose(found.xy[positive], wanted[positive], atol=1e-4)


@pytest.mark.parametrize("sigma", (1, 2, 3))
def test_targets_and_weights_are_those_of_the_reference(shared, sigma):
    with np.load(shared / "golden" / "encode.npz") as encoded:
        for size_hw in ((32, 24), (40, 56)):
            group = f"{size_hw[0]}x{size_hw[1]}_sigma{sigma}"
            joints, visible = encoded[f"{group}/joints_heatmap_xy"], encoded[f"{group}/visible"]
            for encode, name in ((encode_dark, "dark"), (encode_standard, "hrnet")):
                ours = encode(joints, visible, size_hw, sigma)
                wanted = encoded[f"{group}/{name}_target"]
                np.testing.assert_allclose(ours.targets, wanted, atol=2e-6)
                np.testing.assert_array_equal(ours.weights, encoded[f"{group}/{name}_weight"])
