"""Colours of tracks and sides."""

import doctest

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.drawing import palette, track_colours_bgr
from livepose.drawing.palette import CENTRE, LEFT, RIGHT


def lab(colours_bgr: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = (colours_bgr.reshape(-1, 1, 3) / 255.0).astype(np.float32)
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_BGR2Lab).reshape(-1, 3), dtype=np.float64)


def test_the_first_eight_tracks_are_far_apart() -> None:
    colours = lab(np.stack([track_colours_bgr(track_id)[CENTRE] for track_id in range(1, 9)]))
    gaps = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert gaps[~np.eye(8, dtype=bool)].min() > 14.0


def test_left_and_right_differ_in_colour_and_in_brightness_and_none_is_dark() -> None:
    for track_id in (*range(1, 361), 10**9):
        colours = track_colours_bgr(track_id)
        assert 0 <= colours.min() <= colours.max() <= 255
        seen = lab(colours)
        assert seen[:, 0].min() > 45.0
        assert np.linalg.norm(seen[LEFT] - seen[RIGHT]) > 25.0
        assert seen[LEFT, 0] > seen[RIGHT, 0] + 8.0


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(palette).failed == 0
