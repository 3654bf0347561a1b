"""Where a pixel's centre is: the way to the crop and the exact way back, in every alignment."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.crops import ALIGNMENTS, CropGeometry

GOLDEN = (("hrnet", "hrnet"), ("dark", "dark"), ("hrnet", "mmpose"), ("udp", "udp"))
"""Our alignment, and the group of the golden file that it is held against."""

UNPADDED = {"dark": 10, "hrnet": 12}
"""Boxes whose centre x is exactly -1: the reference takes them for already padded. livepose pads
every box; MMPose has no such rule either."""

FLOAT32_BOX = 5
"""A far one-pixel box: the reference rounds points to float32 before it solves its matrices."""


@pytest.fixture(scope="module")
def transform(golden):
    return golden("transform")


def as_xyxy(boxes_xywh):
    corner, size = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    return np.concatenate([corner, corner + size], axis=1)


@pytest.mark.parametrize("size", ("128x96", "256x256"))
@pytest.mark.parametrize(("alignment", "group"), GOLDEN)
def test_there_and_back_are_those_of_the_reference(transform, alignment, group, size):
    udp, input_hw = group == "udp", tuple(map(int, size.split("x")))
    prefix = f"mmpose/{size}/udp_" if udp else f"{group}/{size}/"
    geometry, boxes_xyxy = CropGeometry(alignment, input_hw), as_xyxy(transform["boxes_xywh"])
    keep = np.arange(len(boxes_xyxy)) != UNPADDED.get(group)
    tolerance = np.where(np.arange(len(keep)) == FLOAT32_BOX, 2e-4, 2e-5)
    for rotation_deg in (0, 30):
        wanted = transform[f"{prefix}input_matrix_rot{rotation_deg}"].astype(float)
        # MMPose's UDP matrices count the angle the other way round than all the others do.
        ours = geometry.matrices(boxes_xyxy, -rotation_deg if udp else rotation_deg)
        scale = np.abs(wanted[:, :, :2]).max(axis=(1, 2))
        turned = np.abs(ours - wanted)[:, :, :2].max(axis=(1, 2)) / scale
        assert (turned <= tolerance)[keep].all()
        moved = np.abs(ours - wanted)[:, :, 2] / (1 + np.abs(wanted[:, :, 2]))
        assert (moved.max(axis=1) <= tolerance * 5)[keep].all()
    heatmap_hw = tuple(side // 4 for side in input_hw)
    back = geometry.to_image(transform[f"heatmap_xy/{size}"], boxes_xyxy, heatmap_hw)
    np.testing.assert_allclose(back[keep], transform[f"{prefix}image_xy"][keep], atol=2e-4)


BOXES = st.tuples(
    st.floats(-500, 2000), st.floats(-500, 2000), st.floats(0, 1500), st.floats(0, 1500)
)


@settings(deadline=None, max_examples=80)
@given(
    boxes=st.lists(BOXES, max_size=4),
    alignment=st.sampled_from(ALIGNMENTS),
    size_hw=st.sampled_from([(128, 96), (256, 192), (96, 128), (256, 256)]),
    seed=st.integers(0, 1000),
)
def test_crop_then_uncrop_returns_the_same_point(boxes, alignment, size_hw, seed):
    boxes_xyxy = as_xyxy(np.array(boxes).reshape(-1, 4))
    geometry = CropGeometry(alignment, size_hw)
    heatmap_hw = size_hw[0] // 4, size_hw[1] // 4
    image_xy = np.random.default_rng(seed).uniform(-500, 2500, (len(boxes), 17, 2))
    there = geometry.to_heatmap(image_xy, boxes_xyxy, heatmap_hw)
    back = geometry.to_image(there, boxes_xyxy, heatmap_hw)
    np.testing.assert_allclose(back, image_xy, atol=1e-4)
    matrices = geometry.matrices(boxes_xyxy)
    input_xy = np.einsum("pij,pkj->pki", matrices[:, :, :2], image_xy) + matrices[:, None, :, 2]
    wanted_xy = to_input(alignment, there, size_hw, heatmap_hw)
    np.testing.assert_allclose(input_xy, wanted_xy, atol=1e-4)


def to_input(alignment, heatmap_xy, size_hw, heatmap_hw):
    """Where a heatmap cell lies in the input, as each convention says it in words."""
    if alignment == "pixel_centre":
        return 4 * heatmap_xy + 1.5
    if alignment in ("hrnet", "stride"):
        return 4 * heatmap_xy
    wide, small = np.array(size_hw[::-1]), np.array(heatmap_hw[::-1])
    if alignment == "udp":
        return heatmap_xy * (wide - 1) / (small - 1)
    factor = (wide[0] - 1) / (small[0] - 1)  # dark: that of the width, about the centre
    return (wide - 1) / 2 + (heatmap_xy - (small - 1) / 2) * factor


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_a_covariance_is_carried_like_differences_of_points(alignment):
    geometry, box = CropGeometry(alignment, (128, 96)), [[10, 20, 110, 220]]
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])[None, None]
    corner = np.array([[[0.0, 0], [1, 0], [0, 1]]])
    origin, right, down = geometry.to_image(corner, box, (32, 24))[0]
    jacobian = np.stack([right - origin, down - origin], axis=-1)
    _, ours = geometry.decoded_to_image(np.zeros((1, 1, 2)), covariance, box, (32, 24))
    np.testing.assert_allclose(ours, jacobian @ covariance @ jacobian.T)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_what_is_not_there_stays_nan_and_touches_nobody_else(alignment):
    geometry = CropGeometry(alignment, (128, 96))
    boxes = [[np.nan, 0, 10, 10], [0, 0, np.inf, 10], [0, 0, 1e308, 1e308], [10, 10, 60, 110]]
    points = np.full((4, 2, 2), 3.0)
    points[3, 1] = np.nan
    found = geometry.to_image(points, boxes, (32, 24))
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[3, 0]).all()
    assert np.isnan(found[3, 1]).all()
    assert np.isnan(geometry.matrices(boxes)[:2]).all()
    assert np.isfinite(geometry.matrices(boxes)[3]).all()


BOX = [[0, 0, 9, 9]]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda g: CropGeometry("coco", (128, 96)), "alignment: expected one of .*'coco'"),
        (lambda g: CropGeometry("dark", (0, 96)), "input_hw: expected two integers"),
        (lambda g: CropGeometry("dark", (9, 9), padding=0), "padding: expected a positive number"),
        (lambda g: g.matrices([0, 0, 1, 1]), r"boxes_xyxy: expected shape \(people, 4\), got \(4,"),
        (lambda g: g.matrices(BOX, [1.0, 2.0]), "rotation_deg: expected one angle or 1"),
        (lambda g: g.to_image(np.zeros((2, 17, 2)), BOX, (9, 9)), "heatmap_xy: expected shape"),
        (lambda g: g.to_heatmap(np.zeros((1, 17, 3)), BOX, (9, 9)), "image_xy: expected shape"),
    ],
)
def test_wrong_arguments_are_said(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong(CropGeometry("dark", (128, 96)))
