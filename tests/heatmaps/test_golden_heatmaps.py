"""The published reference's numbers: every case of decode.npz and encode.npz.

What differs on purpose, and is named here:

- no positive peak: the reference gives (0, 0) (MMPose (-1, -1)), livepose NaN with score 0;
- ``very_noisy``, steps beyond the two cells in which the derivatives were measured: shortened to
  two cells (the reference goes up to 400 px, outside the map);
- ``very_noisy``, Hessians that are not negative definite: a quarter pixel up the gradient (the
  reference steps to the saddle or to the bottom of the bowl).

MMPose's UDP decoding and its per-axis quarter shift at borders are other decoders.
"""

from collections import Counter

import numpy as np
import pytest
import reference

from livepose.heatmaps import (
    blur_taps,
    decode_argmax,
    decode_dark,
    decode_shift,
    encode_dark,
    encode_standard,
)

SIZES = ("32x24", "64x48", "96x72", "40x56")
KERNELS = (3, 5, 7, 11, 17)
KINDS = (
    "clean",
    "integer_peak",
    "half_pixel",
    "noisy",
    "very_noisy",
    "two_peaks",
    "border",
    "outside",
    "tiny",
    "tiny_noisy",
    "hrnet_like",
    "quantised",
    "special",
)
"""Zeros, flat -0.5, random negative, negative with a peak that is negative too."""

STEPS_THAT_DIFFER = {"far": 36, "uphill": 23}
"""Of the 355 maps and 5 kernels of ``very_noisy``; nothing differs in any other kind."""


@pytest.fixture(scope="module")
def decoded(shared):
    with np.load(shared / "golden" / "decode.npz") as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def encoded(shared):
    with np.load(shared / "golden" / "encode.npz") as archive:
        return dict(archive)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_the_maximum_and_the_quarter_shift_are_those_of_the_reference(decoded, size, kind):
    group = f"{size}_{kind}"
    scores = decoded[f"{group}/scores"]
    positive = scores > 0
    first, moved = (f(decoded[f"{group}/heatmaps"]) for f in (decode_argmax, decode_shift))
    np.testing.assert_array_equal(first.xy[positive], decoded[f"{group}/argmax_xy"][positive])
    np.testing.assert_array_equal(moved.xy[positive], decoded[f"{group}/shift_xy"][positive])
    np.testing.assert_array_equal(
        first.xy[positive], decoded[f"{group}/mmpose_argmax_xy"][positive]
    )
    for found in (first, moved):
        np.testing.assert_array_equal(found.scores[positive], scores[positive].astype(float))
        assert np.isnan(found.xy[~positive]).all()
        assert (found.scores[~positive] == 0).all()


def _kinds_of_steps(heatmaps, kernel):
    """Per map: border, step, far, uphill, flat, or none."""
    kinds = np.empty(heatmaps.shape[:2], dtype=object)
    for index in np.ndindex(kinds.shape):
        heatmap, found = heatmaps[index], reference.peak(heatmaps[index])
        if found is None:
            kinds[index] = "none"
        elif not (2 <= found[0] <= heatmap.shape[1] - 3 and 2 <= found[1] <= heatmap.shape[0] - 3):
            kinds[index] = "border"
        else:
            log_map = reference.log_of(heatmap, kernel)
            kinds[index] = reference.kind_of_step(log_map, *found[:2])
    return kinds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_dark_finds_the_coordinates_of_the_reference(decoded, size, kind):
    group = f"{size}_{kind}"
    heatmaps, start = decoded[f"{group}/heatmaps"], decoded[f"{group}/argmax_xy"]
    for kernel in KERNELS:
        kinds = _kinds_of_steps(heatmaps, kernel)
        same = np.isin(kinds, ["border", "step", "flat"])
        if kind != "very_noisy":
            assert same[kinds != "none"].all()
        found = decode_dark(heatmaps, blur_kernel=kernel)
        for name in ("dark", "mmpose_dark"):
            wanted = decoded[f"{group}/kernel{kernel}_{name}_xy"].astype(float)
            moved = np.square(wanted - start).sum(axis=-1)
            tolerance = 1e-4 * (1 + moved) if kind == "very_noisy" else np.full(moved.shape, 1e-4)
            error = np.abs(found.xy - wanted).max(axis=-1)
            assert (error[same] <= tolerance[same]).all(), (group, kernel, name, error.max())
        assert np.isnan(found.xy[kinds == "none"]).all()


def test_steps_that_differ_from_the_reference_are_the_named_ones_and_are_bounded(decoded):
    count = Counter()
    for size in SIZES:
        heatmaps = decoded[f"{size}_very_noisy/heatmaps"]
        start = decoded[f"{size}_very_noisy/argmax_xy"]
        for kernel in KERNELS:
            kinds = _kinds_of_steps(heatmaps, kernel)
            count.update(kinds.ravel().tolist())
            found = decode_dark(heatmaps, blur_kernel=kernel)
            wanted = decoded[f"{size}_very_noisy/kernel{kernel}_dark_xy"]
            step, full = found.xy - start, wanted - start
            far, uphill = kinds == "far", kinds == "uphill"
            np.testing.assert_allclose(np.abs(step[far]).max(axis=-1), 2.0)
            np.testing.assert_allclose(  # the same direction: 2-D cross product
                step[far][:, 0] * full[far][:, 1] / np.abs(full[far]).max(axis=-1),
                step[far][:, 1] * full[far][:, 0] / np.abs(full[far]).max(axis=-1),
                atol=1e-3,
            )
            assert np.isin(np.abs(step[uphill]), [0.0, 0.25]).all()
            assert np.isnan(found.covariance[uphill]).all()
            assert np.isfinite(found.covariance[far]).all()
    assert {kind: count[kind] for kind in STEPS_THAT_DIFFER} == STEPS_THAT_DIFFER


def test_the_taps_are_those_of_the_reference(decoded):
    for kernel in (3, 5, 7, 9, 11, 13, 15, 17):
        wanted = decoded[f"blur_taps/kernel{kernel}"].ravel()
        np.testing.assert_allclose(blur_taps(kernel), wanted, atol=1e-7)
        np.testing.assert_allclose(reference.taps(kernel), wanted, atol=1e-7)


@pytest.mark.parametrize("sigma", (1, 2, 3))
@pytest.mark.parametrize("size", SIZES)
def test_targets_and_weights_are_those_of_the_reference(encoded, size, sigma):
    group, size_hw = f"{size}_sigma{sigma}", tuple(map(int, size.split("x")))
    joints, visible = encoded[f"{group}/joints_heatmap_xy"], encoded[f"{group}/visible"]
    for encode, name in ((encode_dark, "dark"), (encode_standard, "hrnet")):
        ours = encode(joints, visible, size_hw, sigma)
        assert ours.targets.dtype == ours.weights.dtype == np.float32
        np.testing.assert_allclose(ours.targets, encoded[f"{group}/{name}_target"], atol=2e-6)
        np.testing.assert_array_equal(ours.weights, encoded[f"{group}/{name}_weight"])
    np.testing.assert_array_equal(encoded[f"{group}/joints_input_xy"], joints * 4)
