"""Colours of tracks and sides."""

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.drawing import track_colours_bgr
from livepose.drawing.palette import CENTRE


def lab(colours_bgr: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = (colours_bgr.reshape(-1, 1, 3) / 255.0).astype(np.float32)
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_BGR2Lab).reshape(-1, 3), dtype=np.float64)


def test_the_first_eight_tracks_are_far_apart() -> None:
    colours = lab(np.stack([track_colours_bgr(track_id)[CENTRE] for track_id in range(1, 9)]))
    gaps = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert gaps[~np.eye(8, dtype=bool)].min() > 14.0
