"""What changes between images: shot boundary detection, and where something moved.

Two images of one shot look alike when made very small, whatever moves in them; the first image
of another shot does not. Over 3,200 images of 16 clips without cuts, thumbnails of neighbours
never correlated by less than 0.63, of every sixth image by less than 0.62; of 354 cuts between
those clips and 38 photographs 335 lie below 0.5 (307 below 0.35). An image without contrast (a
lens covered, a flash, a broken frame) says nothing: the next one is compared with the one before.
"""

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.compiled import kernel
from livepose.frame import ImageBgr

Thumbnail = NDArray[np.float64]
"""Grey levels of the cells of an image."""

SAMPLES = 4  # pixels looked at in each cell, along each side
SHOT_HW = (12, 16)
LEAST_CORRELATION = 0.5
LEAST_CHANGE = 25.0  # mean in grey levels; the largest between neighbours of one shot was 20
LEAST_CONTRAST = 6.0
"""Standard deviation in grey levels; noise of a dark image stays below, the flattest of the
clips and photographs has 29."""
CHANGES_HW = (60, 80)
CHANGE = 6.0
"""Grey levels by which a cell differs where something moved. People in whose boxes no cell did have
moved by 0.05 to 0.2 % of their size; noise of a webcam moves the mean of 16 pixels by 2 or 3."""


class ShotBoundaries:
    """Tells the first image of a new shot from the next image of the same one."""

    def __init__(self) -> None:
        self._before: Thumbnail | None = None

    def reset(self) -> None:
        """The next image is the first of its stream, which is no cut."""
        self._before = None

    def begins_shot(self, image_bgr: ImageBgr) -> bool:
        """Whether this image uint8 (H, W, 3) belongs to another shot than the one before."""
        now = np.empty(SHOT_HW)
        _shrink(image_bgr, now)
        if now.std() < LEAST_CONTRAST:
            return False
        before, self._before = self._before, now
        if before is None or np.abs(now - before).mean() < LEAST_CHANGE:
            return False
        return bool(np.corrcoef(before.ravel(), now.ravel())[0, 1] < LEAST_CORRELATION)


class Changes:
    """An image made small, to be compared with earlier ones."""

    def __init__(self, image_bgr: ImageBgr) -> None:
        self.thumbnail: Thumbnail = np.empty(CHANGES_HW)
        _shrink(image_bgr, self.thumbnail)
        rows, columns = CHANGES_HW
        self._cells_per_px = np.array([columns / image_bgr.shape[1], rows / image_bgr.shape[0]])

    def within(self, box_xyxy: Boxes, before: Thumbnail | None) -> bool:
        """Whether anything in a box (4,) differs from an earlier image; None differs."""
        if before is None:
            return True
        cells = np.floor(box_xyxy.reshape(2, 2) * self._cells_per_px).astype(np.int64)
        left, top, right, bottom = np.maximum(cells, 0).ravel().tolist()
        here = slice(top, bottom + 1), slice(left, right + 1)
        return bool((np.abs(self.thumbnail[here] - before[here]) > CHANGE).any())


@kernel
def _shrink(image_bgr: ImageBgr, thumbnail: Thumbnail) -> None:
    """Mean grey of each cell (h, w), from ``SAMPLES`` x ``SAMPLES`` of its pixels."""
    rows, columns = thumbnail.shape[0] * SAMPLES, thumbnail.shape[1] * SAMPLES
    height, width = image_bgr.shape[0], image_bgr.shape[1]
    share = 1.0 / (3 * SAMPLES * SAMPLES)
    places = np.empty(columns, np.int64)
    for j in range(columns):
        places[j] = (j * width) // columns
    thumbnail[:] = 0.0
    for i in range(rows):
        y = (i * height) // rows
        for column in range(thumbnail.shape[1]):
            total = 0
            for j in range(column * SAMPLES, (column + 1) * SAMPLES):
                pixel = image_bgr[y, places[j]]
                total += int(pixel[0]) + int(pixel[1]) + int(pixel[2])
            thumbnail[i // SAMPLES, column] += share * total
