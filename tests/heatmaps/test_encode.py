"""Targets: the published reference's numbers, and what decoding finds in them."""

import numpy as np
import pytest

from livepose.heatmaps import decode_argmax, decode_dark, encode_dark, encode_standard


@pytest.mark.parametrize("size_hw", [(32, 24), (40, 56)])
@pytest.mark.parametrize("sigma", (1, 2, 3))
def test_targets_and_weights_are_those_of_the_reference(golden, sigma, size_hw):
    wanted, group = golden("encode"), f"{size_hw[0]}x{size_hw[1]}_sigma{sigma}"
    joints, visible = wanted[f"{group}/joints_heatmap_xy"], wanted[f"{group}/visible"]
    for encode, name in ((encode_dark, "dark"), (encode_standard, "hrnet")):
        ours = encode(joints, visible, size_hw, sigma)
        np.testing.assert_allclose(ours.targets, wanted[f"{group}/{name}_target"], atol=2e-6)
        np.testing.assert_array_equal(ours.weights, wanted[f"{group}/{name}_weight"])


def test_a_target_decodes_to_the_joint_that_it_was_drawn_for():
    joints = np.random.default_rng(1).uniform((4, 4), (19, 27), (5, 17, 2))
    targets = encode_dark(joints, np.ones((5, 17)), (32, 24), 2.0).targets
    exact = decode_dark(targets, blur_kernel=1)
    np.testing.assert_allclose(exact.xy, joints, atol=5e-6)
    np.testing.assert_allclose(exact.covariance - 4.0 * np.eye(2), 0.0, atol=2e-5)
    np.testing.assert_allclose(decode_dark(targets).xy, joints, atol=5e-4)
    found = decode_argmax(encode_standard(joints, np.ones((5, 17)), (32, 24), 2.0).targets)
    np.testing.assert_array_equal(found.xy, np.floor(joints + 0.5))  # the nearest cell
    assert (found.scores == 1.0).all()


@pytest.mark.parametrize("encode", [encode_dark, encode_standard])
def test_a_joint_that_is_invisible_or_nowhere_has_no_target_and_no_weight(encode):
    odd = [[10.0, 10.0], [np.nan, 3.0], [500.0, 3.0], [3.0, -np.inf], [1e300, 1.0], [9.0, -31.0]]
    ours = encode(odd, [0, 1, 1, 1, 1, 1], (32, 24), 2.0)
    assert not ours.targets.any() and not ours.weights.any()
    half = encode([[10.0, 10.0]] * 2, [0.5, 0.6], (32, 24), 2.0)
    assert half.targets.any(axis=(1, 2)).tolist() == [False, True]
    assert half.weights.tolist() == pytest.approx([0.5, 0.6])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"xy": [[1.0, 2.0, 3.0]]}, r"xy: expected shape \(\.\.\., 2\), got \(1, 3\)"),
        ({"visible": [1, 1]}, r"visible: expected shape \(1,\) .*, got \(2,\)"),
        ({"size_hw": (0, 4)}, "size_hw: expected two positive integers"),
        ({"sigma": np.nan}, "sigma: expected a positive number"),
    ],
)
def test_wrong_arguments_are_said(wrong, sentence):
    usual = {"xy": [[1.0, 2.0]], "visible": [1], "size_hw": (4, 4), "sigma": 1.0}
    with pytest.raises(ValueError, match=sentence):
        encode_dark(**{**usual, **wrong})
