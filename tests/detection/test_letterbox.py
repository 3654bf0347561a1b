"""Images lie in the middle of grey, and boxes come back where they were."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.detection.letterbox import GREY, STRIDE, Letterbox

sides = st.integers(1, 3000)


@settings(max_examples=40, deadline=None)
@given(width=sides, height=sides, size_px=st.integers(32, 1280), seed=st.integers(0, 1000))
def test_the_input_is_the_smallest_of_whole_strides_and_a_box_comes_back(
    width, height, size_px, seed
):
    letterbox = Letterbox.fit((width, height), size_px)
    assert max(letterbox.scaled_wh) == size_px
    for scaled, whole in zip(letterbox.scaled_wh, letterbox.input_wh, strict=True):
        assert whole % STRIDE == 0 and 0 <= whole - scaled < STRIDE
    corners = np.random.default_rng(seed).uniform(0, 1, (5, 2, 2)) * [width, height]
    boxes_xyxy = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    back = letterbox.to_source(letterbox.to_input(boxes_xyxy))
    np.testing.assert_allclose(back, boxes_xyxy, atol=1e-9 * max(width, height))


def test_the_image_lies_in_the_middle_of_grey_and_boxes_end_at_its_edges():
    letterbox = Letterbox.fit((64, 30), 64)
    seen = letterbox.apply(np.full((30, 64, 3), 200, dtype=np.uint8))
    assert seen.shape == (32, 64, 3)
    assert np.all(seen[[0, -1]] == GREY) and np.all(seen[1:-1] == 200)
    assert letterbox.to_source(np.array([[-50.0, -50, 1000, 1000]])).tolist() == [[0, 0, 64, 30]]
    fixed = Letterbox.into((1280, 720), (640, 640))
    assert (fixed.scaled_wh, fixed.left_top) == ((640, 360), (0, 140))
    assert fixed.apply(np.zeros((720, 1280, 3), np.uint8)).shape == (640, 640, 3)
