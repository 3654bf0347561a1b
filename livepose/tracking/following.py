"""Boxes that follow keypoints while the detector rests.

The box around the keypoints alone would lose the head's top and shrink from picture to picture as
keypoints at its rim fade. So each track learns, when it is detected, how far the detector's box
reaches beyond its keypoints (as BlazePose derives its next region from keypoints, Bazarevsky et
al., 2020, https://arxiv.org/abs/2006.10204), and between detections each edge first moves as the
keypoints seen both times move it, then is drawn towards where the learned margin puts it: quickly
outwards, slowly inwards.
"""

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.boxes import Boxes
from livepose.tracking import _kernels

Floats = NDArray[np.float64]

START_MARGINS = np.array([0.1, 0.15, 0.1, 0.1])
"""Left, top, right, bottom, of a person seen whole, before anything is learned."""
LEARNING_RATE = 0.3
MARGIN_RANGE = (0.0, 1.5)
OUTWARDS_S, INWARDS_S = 0.1, 0.5
OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])


def learn_margins(margins: Floats, keypoints_xy: Floats, detected_xyxy: Boxes) -> Floats:
    """Margins (T, 4) after keypoints (T, K, 2) were found in detected boxes (T, 4)."""
    around, extent = _around(keypoints_xy)
    seen = np.clip((detected_xyxy - around) * OUTWARDS / extent, *MARGIN_RANGE)
    learned = margins + LEARNING_RATE * (seen - margins)
    return np.where(np.isfinite(learned), learned, margins)


def follow(
    boxes_xyxy: Boxes, before_xy: Floats, now_xy: Floats, margins: Floats, dt_s: Floats
) -> Boxes:
    """Boxes (T, 4) of before, moved by keypoints (T, K, 2; NaN where not seen) of before and now.

    ``dt_s`` (T,) are the seconds between; infinity puts the box where the margins say at once.
    """
    common = np.isfinite(before_xy + now_xy)
    followed = np.array(boxes_xyxy, dtype=np.float64, order="C")
    _kernels.follow(
        followed,
        boxes.around(np.where(common, before_xy, np.nan)),
        boxes.around(np.where(common, now_xy, np.nan)),
        boxes.around(now_xy),
        margins,
        dt_s,
        (OUTWARDS_S, INWARDS_S),
    )
    return followed


def _around(keypoints_xy: Floats) -> tuple[Boxes, Floats]:
    """Boxes (T, 4) around keypoints and their longer extent (T, 1), at least a pixel."""
    around = boxes.around(keypoints_xy)
    extent = np.maximum(around[:, 2:] - around[:, :2], 1.0).max(axis=1, keepdims=True)
    return around, extent
