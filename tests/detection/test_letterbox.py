"""Images lie in the middle of grey, and boxes come back where they were."""

import cv2
import numpy as np
import pytest
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


@pytest.mark.parametrize("source_wh", [(640, 480), (333, 777), (50, 40)])
def test_a_drawn_square_lies_where_the_letterbox_says(source_wh):
    width, height = source_wh
    box = np.array([[width * 0.25, height * 0.25, width * 0.5, height * 0.75]]).round()
    image = np.zeros((height, width, 3), dtype=np.uint8)
    left, top, right, bottom = box[0].astype(int)
    image[top:bottom, left:right] = 255
    letterbox = Letterbox.fit(source_wh, 320)
    x, y, w, h = cv2.boundingRect((letterbox.apply(image)[..., 0] > 150).astype(np.uint8))
    np.testing.assert_allclose(
        letterbox.to_input(box)[0], [x, y, x + w, y + h], atol=0.51 + 0.5 * 320 / max(source_wh)
    )
