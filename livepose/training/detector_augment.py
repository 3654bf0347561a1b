"""What is done to a picture before the detector sees it; every sample is a pure function.

People near the camera are frequent: pictures are scaled from 0.45 to 1.8 times the input and
placed or cut at random. Boxes are edges (``livepose.boxes``), and so are places on the canvas.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes, area, clip
from livepose.detection.letterbox import GREY
from livepose.frame import ImageBgr
from livepose.training.detector_boxes import BoxedPictures

LEAST_VISIBLE, LEAST_SIDE_PX = 0.15, 4.0
WHOLE_SHARE = 0.2  # pictures that are fitted as the live detector fits them
SCALE = (0.45, 1.8)
STRETCH = 0.08  # of the ratio of sides, standard deviation of its logarithm
BAND_SHARE, BAND_RATIOS = 0.5, (0.5625, 0.75)  # canvases with grey above and below, as live
MOSAIC_CENTRE = (0.3, 0.7)
SHRUNK_BELOW, SHRINK_MARGIN = 0.5, 1.4  # averaged first, so that nothing flickers
_STREAM = 0xDE7EC7

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in a cell of ``cell_wh``: edge x becomes zoom * x + offset."""

    cell_wh: tuple[int, int]
    zoom_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    flip: bool = False

    @classmethod
    def draw(
        cls, rng: np.random.Generator, source_wh: tuple[int, int], cell_wh: tuple[int, int]
    ) -> "Placement":
        """At random: mostly of any scale, sometimes whole."""
        if rng.random() < WHOLE_SHARE:
            zoom = min(cell_wh[0] / source_wh[0], cell_wh[1] / source_wh[1])
        else:
            scale = math.exp(rng.uniform(math.log(SCALE[0]), math.log(SCALE[1])))
            zoom = scale * max(cell_wh) / max(source_wh)
        stretch = math.exp(STRETCH * rng.normal())
        zoom_xy = (zoom * stretch, zoom / stretch)
        room = [cell_wh[axis] - zoom_xy[axis] * source_wh[axis] for axis in (0, 1)]
        left, top = (float(rng.uniform(min(0.0, free), max(0.0, free))) for free in room)
        return cls(cell_wh, zoom_xy, (left, top), bool(rng.random() < 0.5))

    def picture(self, image_bgr: ImageBgr) -> ImageBgr:
        """The cell, uint8 (h, w, 3), grey where the picture is not."""
        height, width = image_bgr.shape[:2]
        if max(self.zoom_xy) < SHRUNK_BELOW:
            wanted = SHRINK_MARGIN * max(self.zoom_xy)
            small_wh = max(1, round(wanted * width)), max(1, round(wanted * height))
            small = cv2.resize(image_bgr, small_wh, interpolation=cv2.INTER_AREA)
            image_bgr = np.asarray(small, dtype=np.uint8)
        zooms = (
            self.zoom_xy[0] * width / image_bgr.shape[1],
            self.zoom_xy[1] * height / image_bgr.shape[0],
        )
        # OpenCV counts from pixel centres, which lie half a pixel from the edges.
        left, top = (o + 0.5 * z - 0.5 for o, z in zip(self.offset_xy, zooms, strict=True))
        matrix = np.array([[zooms[0], 0.0, left], [0.0, zooms[1], top]])
        cell = cv2.warpAffine(image_bgr, matrix, self.cell_wh, borderValue=(GREY,) * 3)
        return np.asarray(cell[:, ::-1] if self.flip else cell, dtype=np.uint8)

    def boxes(self, boxes_xyxy: Boxes) -> Boxes:
        """Boxes (N, 4) in the cell: cut at its edges, without those that are hardly seen."""
        moved = boxes_xyxy * np.tile(self.zoom_xy, 2) + np.tile(self.offset_xy, 2)
        if self.flip:
            moved[:, [0, 2]] = self.cell_wh[0] - moved[:, [2, 0]]
        seen = clip(moved, self.cell_wh)
        visible = area(seen) / np.maximum(area(moved), 1e-6)
        large = (seen[:, 2:] - seen[:, :2]).min(axis=1, initial=np.inf) > LEAST_SIDE_PX
        return np.asarray(seen[(visible > LEAST_VISIBLE) & large])


@dataclass(frozen=True)
class Sampler:
    """Samples by number: ``sampler(i)`` is a function of the seed and i alone."""

    pictures: BoxedPictures
    input_px: int
    mosaic: float
    seed: int

    def __call__(self, index: int) -> tuple[Pixels, Boxes]:
        """Network input (3, S, S), RGB from 0 to 1, and its boxes (N, 4) in pixels."""
        rng = np.random.Generator(np.random.Philox([self.seed, _STREAM, index]))
        side = self.input_px
        canvas = np.full((side, side, 3), GREY, np.uint8)
        boxes = [self._fill(rng, canvas, cell) for cell in self._cells(rng)]
        rgb = recoloured(rng, canvas[:, :, ::-1].astype(np.float32))
        planes = np.clip(rgb, 0, 255).transpose(2, 0, 1) / np.float32(255)
        return np.ascontiguousarray(planes, dtype=np.float32), np.concatenate(boxes)

    def _cells(self, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
        """Left, top, right, bottom of what is filled with one picture each."""
        side = self.input_px
        if rng.random() < self.mosaic:
            x, y = (int(side * value) for value in rng.uniform(*MOSAIC_CENTRE, 2))
            return [(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]
        if rng.random() < BAND_SHARE:
            height = int(side * rng.choice(BAND_RATIOS))
            top = (side - height) // 2
            return [(0, top, side, top + height)]
        return [(0, 0, side, side)]

    def _fill(
        self, rng: np.random.Generator, canvas: ImageBgr, cell: tuple[int, int, int, int]
    ) -> Boxes:
        left, top, right, bottom = cell
        image_bgr, boxes = self.pictures.draw(rng)
        source_wh = (image_bgr.shape[1], image_bgr.shape[0])
        place = Placement.draw(rng, source_wh, (right - left, bottom - top))
        canvas[top:bottom, left:right] = place.picture(image_bgr)
        return np.asarray(place.boxes(boxes) + np.array([left, top, left, top]))


def recoloured(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Brightness, tint, saturation, blur and noise of (H, W, 3), 0 to 255, not yet clipped."""
    if rng.random() < 0.7:
        gains = rng.uniform(0.6, 1.4) * rng.uniform(0.9, 1.1, 3)
        rgb = rgb * gains.astype(np.float32) + np.float32(rng.uniform(-25, 25))
        if rng.random() < 0.3:
            grey = rgb.mean(axis=2, keepdims=True)
            rgb = grey + (rgb - grey) * np.float32(rng.uniform(0, 1))
    if rng.random() < 0.1:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (3, 3), rng.uniform(0.4, 1.0)), np.float32)
    if rng.random() < 0.15:
        noise = rng.standard_normal(rgb.shape, dtype=np.float32)
        rgb = rgb + noise * np.float32(rng.uniform(2, 10))
    return rgb
