"""Digits as strokes: all there, in their box, told apart."""

import itertools

import numpy as np
import pytest
from drawing.people import standing

from livepose.drawing import draw_poses
from livepose.drawing._kernels import paint_list, room_for, scratch_for
from livepose.drawing._people_kernels import _list_number
from livepose.drawing.digits import STEP, WIDTH, strokes
from livepose.frame import ImageBgr

TALL = 40.0


def painted(number: int, width: int = 48) -> ImageBgr:
    image = np.full((56, width, 3), 255, dtype=np.uint8)
    shapes = room_for(200)
    right = 8.0 + TALL * (WIDTH + STEP * (len(str(number)) - 1))
    _list_number(shapes, number, right, 48.0, TALL)
    paint_list(image, scratch_for(width), shapes)
    return image


def test_every_stroke_lies_in_the_box_of_its_digit() -> None:
    points, begins = strokes()
    assert begins[0] == 0
    assert begins[-1] == len(points)
    for digit in range(10):
        xs, ys = points[begins[digit] : begins[digit + 1]].reshape(-1, 2).T
        assert -0.03 < xs.min() < 0.2, digit
        assert 0.3 < xs.max() < WIDTH + 0.03, digit
        assert abs(ys.min()) < 0.02, digit
        assert abs(ys.max() - 1.0) < 0.02, digit


def test_a_line_goes_on_from_where_it_was() -> None:
    points, begins = strokes()
    for digit in range(10):
        own = points[begins[digit] : begins[digit + 1]]
        lifted = np.abs(own[1:, :2] - own[:-1, 2:]).max(axis=1) > 1e-9
        assert lifted.sum() <= 1, digit  # the pen is lifted once at most: in 6, 8 and 9
        steps = np.hypot(*(own[:, 2:] - own[:, :2]).T)
        assert steps.max() < 1.1, digit


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(10), 2)))
def test_no_digit_looks_like_another(one: int, other: int) -> None:
    dark = [(painted(digit)[..., 0] < 128) for digit in (one, other)]
    assert (dark[0] ^ dark[1]).sum() > 0.15 * min(dark[0].sum(), dark[1].sum())


def test_digits_stand_in_their_order_and_a_longer_number_is_wider() -> None:
    wide = painted(17, 96)
    np.testing.assert_array_equal(wide[:, :37], painted(1)[:, :37])
    assert (wide[:, 40:] < 128).any()
    ids = (7, 10, 123)
    box = (220.0, 140.0, 320.0, 440.0)
    widths = []
    for track_id in ids:
        grey = np.full((480, 640, 3), 128, dtype=np.uint8)
        with_id = draw_poses(grey.copy(), standing([box], first_id=track_id))
        without = draw_poses(grey.copy(), standing([box], first_id=track_id), show_ids=False)
        widths.append(int((with_id != without).any(axis=(0, 2)).sum()))
    assert widths == sorted(set(widths))
