"""Crops: golden pixels, the kernel against its plain twin, and frames and boxes that are odd."""

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livepose.crops import ALIGNMENTS, CropGeometry, cut, cut_crops

LAYOUTS = {
    "contiguous": lambda image: image,
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1])[:, ::-1],
    "rgb seen as bgr": lambda image: np.ascontiguousarray(image[..., ::-1])[..., ::-1],
    "part of a larger frame": lambda image: np.pad(image, ((3, 2), (1, 4), (0, 0)))[3:-2, 1:-4],
    "columns first": lambda image: np.asfortranarray(image),
}


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("rotation", ("rot0", "rot30"))
@pytest.mark.parametrize("alignment", ("hrnet", "dark"))
def test_crops_are_exact_bilinear_interpolation_as_in_the_golden_file(
    golden, alignment, rotation, monkeypatch
):
    """OpenCV 5 is exact up to rounding, so the bytes agree but for ties of rounding."""
    name = f"warp/{alignment}_{rotation}"
    wanted = golden("transform")
    monkeypatch.setattr(cut, "MOST_SAMPLES", 1)
    ours = cut_crops(wanted["warp/image_hwc_uint8"], wanted[f"{name}_matrix"], (128, 96))
    difference = np.abs(ours.astype(int) - wanted[f"{name}_output_opencv5"])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.002
    fixed_point = np.abs(ours.astype(int) - wanted[f"{name}_output"])
    assert fixed_point.max() <= 5  # OpenCV 4 interpolates in steps of 1/32 pixel


@st.composite
def affine(draw):
    spans = st.floats(0.2, 12)
    angle = draw(st.sampled_from([0.0, 0.0, 0.3, np.pi / 2, -2.0]))
    scale = np.diag([1 / draw(spans), draw(st.sampled_from([1, -1])) / draw(spans)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([draw(st.floats(-5, 20)), draw(st.floats(-5, 20))])
    linear = scale @ turn
    return np.column_stack([linear, np.array([2.0, 3.0]) - linear @ centre])


@settings(deadline=None, max_examples=100)
@given(
    matrices=st.lists(affine(), max_size=2),
    size_hw=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    input_hw=st.tuples(st.integers(1, 6), st.integers(1, 5)),
    layout=st.sampled_from(sorted(LAYOUTS)),
)
@example(matrices=[], size_hw=(5, 5), input_hw=(4, 3), layout="contiguous")
def test_the_kernel_agrees_with_its_plain_twin(matrices, size_hw, input_hw, layout):
    image = LAYOUTS[layout](noise(*size_hw))
    image.flags.writeable = False
    maps = np.array(matrices).reshape(-1, 2, 3)
    ours = cut_crops(image, maps, input_hw)
    assert ours.shape == (len(maps), *input_hw, 3)
    assert ours.dtype == np.uint8
    for crop, matrix in zip(ours, maps, strict=True):
        exact = reference.crop(image, matrix, input_hw)
        assert np.abs(crop - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_a_spot_in_the_frame_is_where_the_geometry_says(alignment):
    rows, columns = np.mgrid[:240, :320]
    spot = 255 * np.exp(-((columns - 161.3) ** 2 + (rows - 98.6) ** 2) / (2 * 3.0**2))
    image = np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2)
    box = [[140, 60, 190, 150]]
    geometry = CropGeometry(alignment, (256, 192))
    crop = cut_crops(image, geometry.matrices(box), (256, 192))[0, :, :, 0].astype(float)
    rows, columns = np.indices(crop.shape)
    seen = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    np.testing.assert_allclose(seen, geometry.matrices(box)[0] @ [161.3, 98.6, 1], atol=0.02)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_odd_boxes_give_crops_and_never_a_crash(alignment):
    outside = [-500, -500, -400, -300], [5000, 5000, 5100, 5300]
    empty, half_outside = ([10, 10, 10, 10], [30, 30, 10, 10]), [-20, -10, 30, 40]
    huge = [-1e6, -1e6, 1e6, 1e6], [-1e300, -1e300, 1e300, 1e300]
    boxes = [[np.nan] * 4, [0, 0, np.inf, np.inf], *outside, *huge, *empty, half_outside]
    for shape in ((48, 64), (1, 1), (1, 30), (30, 1)):
        image = np.full((*shape, 3), 200, dtype=np.uint8)
        geometry = CropGeometry(alignment, (64, 48))
        for rotation in (0.0, 30.0):
            crops = cut_crops(image, geometry.matrices(boxes, rotation), (64, 48))
            assert crops.shape == (9, 64, 48, 3)
            assert not crops[:4].any()
            assert crops.max() <= 200
        assert cut_crops(image, geometry.matrices(boxes), (64, 48))[8].any()


IMAGE, MAPS = noise(8, 8), np.zeros((1, 2, 3))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"image_bgr": IMAGE[..., 0]}, r"image_bgr: expected uint8 of shape \(height, wid"),
        ({"image_bgr": IMAGE.astype(np.float32)}, "image_bgr: expected uint8"),
        ({"image_bgr": IMAGE[:0]}, "image_bgr: expected uint8"),
        ({"matrices": MAPS[0]}, r"matrices: expected shape \(people, 2, 3\), got \(2, 3"),
        ({"input_hw": (0, 4)}, r"input_hw: expected two positive integers, got \(0, 4"),
    ],
)
def test_wrong_arguments_are_said(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        cut_crops(**{"image_bgr": IMAGE, "matrices": MAPS, "input_hw": (4, 4), **wrong})
