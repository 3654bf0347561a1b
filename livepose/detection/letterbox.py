"""Fitting images into the network's input, and boxes back into the image.

The image keeps its shape, and is padded with grey on both sides alike. Boxes are edges (see
``livepose.boxes``), and resizing maps edges onto edges, so the way back is exact: subtract the
padding, divide by the scale of each axis, which differ a little because sizes are whole pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.boxes import Boxes
from livepose.frame import ImageBgr

GREY = 114
STRIDE = 32


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where an image of ``source_wh`` lies in an input of ``input_wh``: in its middle."""

    source_wh: tuple[int, int]
    scaled_wh: tuple[int, int]
    input_wh: tuple[int, int]

    @classmethod
    def fit(cls, source_wh: tuple[int, int], size_px: int) -> "Letterbox":
        """The smallest input of whole strides for a longer side of ``size_px``."""
        width, height = _scaled(source_wh, size_px / max(source_wh))
        input_wh = (-(-width // STRIDE) * STRIDE, -(-height // STRIDE) * STRIDE)
        return cls(source_wh, (width, height), input_wh)

    @classmethod
    def into(cls, source_wh: tuple[int, int], input_wh: tuple[int, int]) -> "Letterbox":
        """The largest image in an input of just this size."""
        ratio = min(input_wh[0] / source_wh[0], input_wh[1] / source_wh[1])
        return cls(source_wh, _scaled(source_wh, ratio), input_wh)

    @property
    def left_top(self) -> tuple[int, int]:
        """Where the image begins in the input."""
        (width, height), (across, down) = self.input_wh, self.scaled_wh
        return (width - across) // 2, (height - down) // 2

    def apply(self, image_bgr: ImageBgr) -> ImageBgr:
        """The image as the network sees it, uint8 (h, w, 3), blue first."""
        scaled = cv2.resize(image_bgr, self.scaled_wh, interpolation=cv2.INTER_LINEAR)
        (left, top), (across, down) = self.left_top, self.scaled_wh
        canvas = np.full((*self.input_wh[::-1], 3), GREY, dtype=np.uint8)
        canvas[top : top + down, left : left + across] = scaled
        return canvas

    def to_source(self, boxes_xyxy: NDArray[np.floating]) -> Boxes:
        """Boxes (N, 4) in the input as boxes in the image, cut at its edges."""
        back = (boxes_xyxy.astype(np.float64) - np.tile(self.left_top, 2)) / self._scale
        return boxes.clip(back, self.source_wh)

    def to_input(self, boxes_xyxy: Boxes) -> Boxes:
        """Boxes (N, 4) in the image as boxes in the input."""
        return np.asarray(boxes_xyxy * self._scale + np.tile(self.left_top, 2))

    @property
    def _scale(self) -> NDArray[np.float64]:
        return np.tile(np.divide(self.scaled_wh, self.source_wh), 2)


def _scaled(source_wh: tuple[int, int], ratio: float) -> tuple[int, int]:
    return max(1, round(source_wh[0] * ratio)), max(1, round(source_wh[1] * ratio))
