"""Colours of tracks and sides."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from livepose.drawing import track_colours_bgr
from livepose.drawing.palette import CENTRE, LEFT, RIGHT, oklch_to_bgr


def lab(colours_bgr: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = (colours_bgr.reshape(-1, 1, 3) / 255.0).astype(np.float32)
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_BGR2Lab).reshape(-1, 3), dtype=np.float64)


def test_a_track_has_the_same_colours_every_time() -> None:
    track_colours_bgr.cache_clear()
    first = track_colours_bgr(7).copy()
    track_colours_bgr.cache_clear()
    np.testing.assert_array_equal(track_colours_bgr(7), first)


def test_nobody_can_change_the_colours_of_a_track() -> None:
    with pytest.raises(ValueError, match="read-only"):
        track_colours_bgr(1)[0] = 0


def test_the_first_eight_tracks_are_far_apart() -> None:
    colours = lab(np.stack([track_colours_bgr(track_id)[CENTRE] for track_id in range(1, 9)]))
    gaps = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert gaps[~np.eye(8, dtype=bool)].min() > 14.0


@pytest.mark.parametrize("track_id", [*range(1, 60), 10**9])
def test_left_and_right_differ_in_colour_and_in_brightness(track_id: int) -> None:
    colours = lab(track_colours_bgr(track_id))
    assert np.linalg.norm(colours[LEFT] - colours[RIGHT]) > 25.0
    assert colours[LEFT, 0] > colours[RIGHT, 0] + 8.0


def test_colours_are_in_range_and_none_is_dark() -> None:
    colours = np.stack([track_colours_bgr(track_id) for track_id in range(1, 361)])
    assert colours.min() >= 0.0
    assert colours.max() <= 255.0
    assert lab(colours)[:, 0].min() > 45.0


def test_grey_in_oklch_is_grey() -> None:
    np.testing.assert_allclose(oklch_to_bgr(1.0, 0.0, 0.0), 255.0, atol=0.1)
    np.testing.assert_allclose(oklch_to_bgr(0.0, 0.0, 0.0), 0.0, atol=0.1)
    assert np.ptp(oklch_to_bgr(0.6, 0.0, 123.0)) < 0.1
