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

from livepose.boxes import Boxes
from livepose.tracking import _box_kernels
from livepose.tracking._box_kernels import INWARDS_S as INWARDS_S
from livepose.tracking._box_kernels import OUTWARDS_S as OUTWARDS_S

Floats = NDArray[np.float64]

START_MARGINS = np.array([0.1, 0.15, 0.1, 0.1])
"""Left, top, right, bottom, of a person seen whole, before anything is learned."""


def learn_margins(margins: Floats, keypoints_xy: Floats, detected_xyxy: Boxes) -> Floats:
    """Margins (T, 4) after keypoints (T, K, 2) were found in detected boxes (T, 4)."""
    learned = np.array(margins, dtype=np.float64, order="C")
    _box_kernels.learn_all_margins(learned, keypoints_xy, detected_xyxy)
    return learned


def follow(
    boxes_xyxy: Boxes, before_xy: Floats, now_xy: Floats, margins: Floats, dt_s: Floats
) -> Boxes:
    """Boxes (T, 4) of before, moved by keypoints (T, K, 2; NaN where not seen) of before and now.

    ``dt_s`` (T,) are the seconds between; infinity puts the box where the margins say at once.
    """
    followed = np.array(boxes_xyxy, dtype=np.float64, order="C")
    _box_kernels.follow_all(followed, before_xy, now_xy, margins, dt_s)
    return followed
