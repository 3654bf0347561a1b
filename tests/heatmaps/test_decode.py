"""What every decoder promises: against plain NumPy twins, and the published reference's numbers.

What differs from that one on purpose:

- no positive peak: the reference gives (0, 0) (MMPose (-1, -1)), livepose NaN with score 0;
- ``very_noisy``: steps beyond the two cells in which the derivatives were measured are shortened
  to two cells (the reference goes up to 400 px, outside the map), and where the Hessian is not
  negative definite the step is a quarter pixel up the gradient (the reference steps to the saddle
  or to the bottom of the bowl).

MMPose's UDP decoding and its per-axis quarter shift at borders are other decoders.
"""

import doctest

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livepose.crops import geometry
from livepose.heatmaps import decode, decode_dark, decoding, encoding

ODD_VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-12, 1e-30, 1e30, -1e30, np.nan, np.inf, -np.inf)


LAYOUTS = {
    "contiguous": lambda maps: maps,
    "reversed": lambda maps: np.ascontiguousarray(maps[:, :, ::-1, ::-1])[:, :, ::-1, ::-1],
    "one channel of more": lambda maps: np.repeat(maps, 3, axis=1)[:, 1::3],
}


@st.composite
def heatmaps(draw):
    """Maps that networks, or broken networks, give: peaks, noise, plains, steps, odd cells."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size_hw = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    maps = np.empty((draw(st.integers(0, 2)), draw(st.integers(0, 2)), *size_hw))
    rows, columns = np.indices(size_hw)
    for index in np.ndindex(maps.shape[:2]):
        height, noise = draw(st.sampled_from([(0, 0), (1, 0), (1, 0.02), (-1, 0.02), (0, 1)]))
        y, x = (draw(st.sampled_from([0, 1, side - 1, rng.uniform(-1, side)])) for side in size_hw)
        spread = 2 * rng.uniform(0.7, 3) ** 2
        drawn = height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / spread)
        drawn += noise * rng.standard_normal(size_hw) + draw(st.sampled_from([0, 0, 0.5, -0.5]))
        drawn *= draw(st.sampled_from([1, 1, 1.5, 1e-9]))
        if draw(st.booleans()):
            drawn = np.round(drawn * 16) / 16
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 9]))):
            drawn.flat[rng.integers(drawn.size)] = rng.choice(ODD_VALUES)
        maps[index] = drawn
    with np.errstate(over="ignore"):
        maps = maps.astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))
    maps = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](maps)
    maps.flags.writeable = draw(st.booleans())
    return maps


def _well_conditioned(heatmap, kernel):
    """Whether rounding cannot turn one kind of DARK step into another."""
    found = reference.peak(heatmap)
    height, width = heatmap.shape
    if found is None or not (2 <= found[0] <= width - 3 and 2 <= found[1] <= height - 3):
        return True
    log_map = reference.log_of(heatmap, kernel)
    if log_map is None:
        return True
    gradient, hessian = reference.derivatives(log_map, *found[:2])
    scale = np.abs(hessian).max()
    if abs(np.linalg.det(hessian)) < 1e-6 * scale**2 or abs(hessian[0, 0]) < 1e-6 * scale:
        return False
    return not scale < 1e-6 and (np.abs(gradient) > 1e-9).all()


@settings(deadline=None, max_examples=80)
@given(maps=heatmaps(), method=st.sampled_from(["argmax", "shift", "integral"]))
@example(maps=np.zeros((0, 17, 32, 24), np.float32), method="argmax")
def test_decoders_agree_with_their_plain_twins(maps, method):
    before = maps.copy()
    xy, scores, covariance = reference.every(getattr(reference, method), maps)
    found = decode(maps, method)
    assert found.xy.dtype == found.scores.dtype == found.covariance.dtype == np.float64
    np.testing.assert_array_equal(maps, before)
    np.testing.assert_allclose(found.xy, xy, atol=1e-9)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-6)


@settings(deadline=None, max_examples=120)
@given(maps=heatmaps(), kernel=st.sampled_from([1, 3, 5, 7, 9, 11, 17]))
def test_dark_agrees_with_its_plain_twin(maps, kernel):
    xy, scores, covariance = reference.every(reference.dark, maps, kernel)
    found = decode_dark(maps, blur_kernel=kernel)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(np.isnan(found.xy), np.isnan(xy))
    for index in np.ndindex(*maps.shape[:2]):
        if _well_conditioned(maps[index], kernel):
            np.testing.assert_allclose(found.xy[index], xy[index], atol=1e-5)
            size = np.nan_to_num(np.abs(covariance[index])).max()
            np.testing.assert_allclose(found.covariance[index], covariance[index], atol=1e-4 * size)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"shape": (17, 32, 24)}, r"heatmaps: expected shape \(people.*, got \("),
        ({"shape": (1, 17, 0, 24)}, r"heatmaps: expected shape \(people.*, got \("),
        *(({"dtype": kind}, "expected float16, float32 or") for kind in (np.uint8, complex)),
        *(({"blur_kernel": odd}, "blur_kernel: expected an odd") for odd in (-3, 2, 3.0)),
    ],
)
def test_a_wrong_argument_is_said(wrong, sentence):
    maps = np.ones(wrong.pop("shape", (1, 1, 8, 8)), wrong.pop("dtype", np.float32))
    with pytest.raises(ValueError, match=sentence):
        decode_dark(maps, **wrong)
    with pytest.raises(ValueError, match=r"argmax, shift, integral, dark, got 'taylor'"):
        decode(maps, "taylor")


GOLDEN = (
    *("clean", "integer_peak", "half_pixel", "noisy", "very_noisy", "two_peaks", "border"),
    *("outside", "tiny", "tiny_noisy", "hrnet_like", "quantised"),
    "special",  # zeros, flat -0.5, random negative, negative with a peak that is negative too
)


@pytest.fixture(scope="module")
def decoded(golden):
    return golden("decode")


@pytest.mark.parametrize("size", ["32x24", "40x56"])
@pytest.mark.parametrize("kind", GOLDEN)
def test_decoders_find_the_coordinates_of_the_reference(decoded, kind, size):
    heatmaps, scores, start = (
        decoded[f"{size}_{kind}/{name}"] for name in ("heatmaps", "scores", "argmax_xy")
    )
    positive = scores > 0
    for method, wanted in (("argmax", start), ("shift", decoded[f"{size}_{kind}/shift_xy"])):
        np.testing.assert_array_equal(decode(heatmaps, method).xy[positive], wanted[positive])
    for kernel in (3, 5, 7, 11, 17):
        found = decode_dark(heatmaps, blur_kernel=kernel)
        np.testing.assert_array_equal(found.scores, np.where(positive, scores, 0))
        assert np.isnan(found.xy[~positive]).all()
        if kind == "very_noisy":
            assert np.abs(found.xy - start)[positive].max() <= 2.0 + 1e-9
            continue
        for name in ("dark", "mmpose_dark"):
            wanted = decoded[f"{size}_{kind}/kernel{kernel}_{name}_xy"]
            np.testing.assert_allclose(found.xy[positive], wanted[positive], atol=1e-4)


@pytest.mark.parametrize("module", (decoding, encoding, geometry))
def test_the_examples_in_the_docstrings_run(module):
    assert doctest.testmod(module).failed == 0
