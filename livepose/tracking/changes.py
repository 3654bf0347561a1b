"""Where one picture differs from an earlier one."""

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.frame import ImageBgr
from livepose.tracking import _image_kernels

Thumbnail = NDArray[np.float64]
"""Grey levels of the cells of a picture, ``SHAPE_HW``."""

SHAPE_HW = (60, 80)
SAMPLES = 4
"""Pixels that are looked at in each cell, along each side."""
CHANGE = 6.0
"""Grey levels by which a cell differs where something moved. People in whose boxes no cell did have
moved by 0.05 to 0.2 % of their size; noise of a webcam moves the mean of 16 pixels by 2 or 3."""


class Changes:
    """A picture made small, to be compared with earlier ones."""

    def __init__(self, image_bgr: ImageBgr) -> None:
        self.thumbnail: Thumbnail = np.empty(SHAPE_HW)
        _image_kernels.shrink(image_bgr, SAMPLES, self.thumbnail)
        rows, columns = SHAPE_HW
        self._cells_per_px = np.array([columns / image_bgr.shape[1], rows / image_bgr.shape[0]])

    def within(self, box_xyxy: Boxes, before: Thumbnail | None) -> bool:
        """Whether anything in a box (4,) differs from an earlier picture; None differs."""
        if before is None:
            return True
        cells = np.floor(box_xyxy.reshape(2, 2) * self._cells_per_px).astype(np.int64)
        left, top, right, bottom = np.maximum(cells, 0).ravel().tolist()
        here = slice(top, bottom + 1), slice(left, right + 1)
        return bool((np.abs(self.thumbnail[here] - before[here]) > CHANGE).any())
