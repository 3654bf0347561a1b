"""What every decoder promises, and the kernels against their plain NumPy twins."""

import doctest

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livepose.crops import geometry
from livepose.heatmaps import decode, decode_dark, decoding, encoding

ODD_VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-12, 1e-30, 1e30, -1e30, np.nan, np.inf, -np.inf)


def gaussian(x, y, sigma=2.0, size_hw=(32, 24), amplitude=1.0):
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]]
    return amplitude * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def draw_map(kind, rng, size_hw):
    """One map of a kind that networks, or broken networks, give."""
    height, width = size_hw
    noise = rng.standard_normal(size_hw)
    centre = rng.uniform(-1, width), rng.uniform(-1, height)
    peak = gaussian(*centre, rng.uniform(0.7, 3), size_hw, rng.uniform(0.1, 1.5))
    border = gaussian(rng.choice([0, 1, width - 1]), rng.uniform(0, height), 1.5, size_hw)
    odd = peak.copy()
    odd.flat[rng.integers(odd.size)] = rng.choice([np.nan, np.inf, -np.inf, -np.nan])
    return {
        "peak": peak,
        "noisy": peak + 0.02 * noise,
        "noise": noise,
        "negative": -np.abs(noise),
        "border": border,
        "flat": np.full(size_hw, rng.choice([0.5, -0.5, 1e-12])),
        "zero": np.zeros(size_hw),
        "quantised": np.round(peak * 16) / 16,
        "tiny": 1e-9 * (peak + 0.02 * noise),
        "odd": odd,
        "values": rng.choice(ODD_VALUES, size_hw),
    }[kind]


KINDS = (
    *("peak", "noisy", "noise", "negative", "border", "flat", "zero", "quantised", "tiny"),
    *("odd", "values"),
)
LAYOUTS = {
    "contiguous": lambda maps: maps,
    "reversed": lambda maps: np.ascontiguousarray(maps[:, :, ::-1, ::-1])[:, :, ::-1, ::-1],
    "one channel of more": lambda maps: np.repeat(maps, 3, axis=1)[:, 1::3],
}


@st.composite
def heatmaps(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size_hw = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    people, keypoints = draw(st.integers(0, 2)), draw(st.integers(0, 3))
    maps = np.empty((people, keypoints, *size_hw))
    for index in np.ndindex(people, keypoints):
        maps[index] = draw_map(draw(st.sampled_from(KINDS)), rng, size_hw)
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


@pytest.mark.parametrize("module", (decoding, encoding, geometry))
def test_the_examples_in_the_docstrings_run(module):
    assert doctest.testmod(module).failed == 0
