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
    _kernels,
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
NO_PEAK = {"special": {0, 2, 3, 4}}
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


def test_every_kind_and_size_of_the_golden_file_is_tested(decoded):
    groups = {name.split("/")[0] for name in decoded if name.endswith("/heatmaps")}
    assert groups == {f"{size}_{kind}" for size in SIZES for kind in KINDS}


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_only_the_maps_without_a_positive_cell_have_no_peak(decoded, size, kind):
    missing = np.argwhere(np.isnan(decode_argmax(decoded[f"{size}_{kind}/heatmaps"]).xy[..., 0]))
    assert {k for _, k in missing.tolist()} == NO_PEAK.get(kind, set())


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


def test_the_stay_at_a_singular_hessian_holds_for_the_golden_special_maps(decoded):
    kinds = _kinds_of_steps(decoded["32x24_special/heatmaps"], 3)
    found = decode_dark(decoded["32x24_special/heatmaps"])
    flat = kinds == "flat"
    assert flat.any()
    assert np.isnan(found.covariance[flat]).all()


@pytest.mark.parametrize("size", SIZES)
def test_the_twin_modulates_like_the_reference(decoded, size):
    for kernel in KERNELS:
        wanted = decoded.get(f"blur_{size}/kernel{kernel}_output")
        if wanted is None:
            continue
        for index in np.ndindex(*wanted.shape[:2]):
            ours = reference.modulate(decoded[f"blur_{size}/input"][index], kernel)
            np.testing.assert_allclose(ours, wanted[index], rtol=1e-5, atol=1e-6)


def test_the_taps_are_those_of_the_reference(decoded):
    for kernel in (3, 5, 7, 9, 11, 13, 15, 17):
        wanted = decoded[f"blur_taps/kernel{kernel}"].ravel()
        np.testing.assert_allclose(blur_taps(kernel), wanted, atol=1e-7)
        np.testing.assert_allclose(reference.taps(kernel), wanted, atol=1e-7)


def _window(log_map, x, y):
    return np.exp(log_map[y - 2 : y + 3, x - 2 : x + 3].astype(float))


def _step_from(log_map, start):
    """What the kernel does from a start: kind and step; the border rule included."""
    height, width = log_map.shape
    x, y = int(start[0]), int(start[1])
    if not (2 <= x <= width - 3 and 2 <= y <= height - 3):
        return "border", np.zeros(2)
    logs = log_map[y - 2 : y + 3, x - 2 : x + 3].astype(float)
    step = _kernels.newton_step(np.exp(logs - logs[2, 2]))[:2]
    return reference.kind_of_step(log_map.astype(float), x, y), np.array(step)


@pytest.mark.parametrize("size", SIZES)
def test_the_newton_step_is_that_of_the_reference_wherever_there_is_a_maximum(decoded, size):
    """Starts at fractions and at the border: the decoder starts at cells, the step is the same."""
    log_map, count = decoded[f"taylor_{size}/log_heatmap"], Counter()
    for start, end in zip(
        decoded[f"taylor_{size}/start_xy"], decoded[f"taylor_{size}/xy"], strict=True
    ):
        kind, step = _step_from(log_map, start)
        count[kind] += 1
        if kind in ("border", "flat", "step"):
            np.testing.assert_allclose(start + step, end, atol=1e-3)
        else:
            assert np.abs(step).max() <= 2.0 + 1e-12
    assert count["step"] > 0
    assert count["border"] > 0


@pytest.mark.parametrize("shape", ("ridge_x", "ridge_y", "ridge_diagonal", "plane", "constant"))
def test_a_singular_log_map_moves_nothing_as_in_the_reference(decoded, shape):
    log_map = decoded[f"taylor_analytic/{shape}_map"]
    ends = decoded[f"taylor_analytic/{shape}_xy"]
    for start, end in zip(decoded["taylor_analytic/start_xy"], ends, strict=True):
        kind, _ = _step_from(log_map, start)
        assert kind in ("border", "flat")
        np.testing.assert_array_equal(end, start)
        if kind == "flat":
            step, covariance = reference.dark_step(log_map.astype(float), *start.astype(int))
            assert not step.any()
            assert np.isnan(covariance).all()


def test_an_analytic_peak_is_reached_and_saddle_and_bowl_are_only_climbed(decoded):
    for shape, kinds in (("peak", {"step", "far"}), ("saddle", {"uphill"}), ("bowl", {"uphill"})):
        log_map, seen = decoded[f"taylor_analytic/{shape}_map"], set()
        ends = decoded[f"taylor_analytic/{shape}_xy"]
        for start, end in zip(decoded["taylor_analytic/start_xy"], ends, strict=True):
            kind, step = _step_from(log_map, start)
            seen.add(kind)
            if kind == "step":
                np.testing.assert_allclose(start + step, end, atol=1e-5)
            elif kind == "far":
                np.testing.assert_allclose(np.abs(step).max(), 2.0)
            elif kind == "uphill":
                assert np.isin(np.abs(step), [0.0, 0.25]).all()
        assert seen - {"border"} <= kinds
        assert seen & kinds


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


def test_weights_per_joint_multiply_the_visibility_weights(encoded):
    group = "joints_weight_32x24_sigma1"
    ours = encode_dark(
        encoded[f"{group}/joints_heatmap_xy"], encoded[f"{group}/visible"], (32, 24), 1
    )
    per_joint = encoded[f"{group}/coco_joints_weight"].ravel()
    np.testing.assert_allclose(ours.targets, encoded[f"{group}/dark_target"], atol=2e-6)
    np.testing.assert_allclose(
        ours.weights * per_joint, encoded[f"{group}/dark_weight"].ravel(), rtol=1e-6
    )
