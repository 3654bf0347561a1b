"""Targets: the kernels against their plain twins and the published reference's numbers."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.heatmaps import decode_argmax, decode_dark, encode_dark, encode_standard

COORDINATE = st.one_of(
    st.floats(-30, 60),
    st.integers(-20, 40).map(float),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e300, 0.5, -0.5]),
)


@settings(deadline=None, max_examples=80)
@given(
    joints=st.lists(st.tuples(COORDINATE, COORDINATE), max_size=4),
    visible=st.sampled_from([0.0, 0.5, 0.6, 1.0]),
    size_hw=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    sigma=st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]),
    standard=st.booleans(),
)
def test_encoders_agree_with_their_plain_twin(joints, visible, size_hw, sigma, standard):
    xy = np.array(joints).reshape(-1, 2)
    encode = encode_standard if standard else encode_dark
    ours = encode(xy, np.full(len(xy), visible), size_hw, sigma)
    assert ours.targets.shape == (len(xy), *size_hw)
    for i, joint in enumerate(xy):
        target, weight = reference.encode(joint, visible, size_hw, sigma, standard)
        np.testing.assert_allclose(ours.targets[i], target, atol=1e-6)
        assert ours.weights[i] == np.float32(weight)


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


def test_an_invisible_joint_has_no_target_and_no_weight():
    ours = encode_dark([[10.0, 10.0], [np.nan, 3.0], [500.0, 3.0]], [0, 1, 1], (32, 24), 2.0)
    assert not ours.targets.any()
    assert ours.weights.tolist() == [0.0, 0.0, 0.0]


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
