"""Where a pixel's centre is, and the affine maps between image, network input and heatmap.

Stated here once: integer coordinates are the centres of pixels (and of heatmap cells), in the
image, the input and the heatmap alike, and one affine map samples the network input. Checkpoints
differ in which point of the input the box centre falls on and in how long a side counts, and each
names its own alignment. With a crop of ``w x h`` source pixels (the box, one side widened to the
shape of the input, times the padding) and an output (input or heatmap) of ``W x H``:

============  ======================  ====================  ==========================
alignment     box centre              falls on              output px per source px
============  ======================  ====================  ==========================
pixel_centre  (x0+x1-1)/2 and y       (W-1)/2, (H-1)/2      W / w
hrnet         (x0+x1)/2 and y         W/2, H/2              W / w
dark          (x0+x1-1)/2 and y       (W-1)/2, (H-1)/2      (W-1) / (w-1)
udp           (x0+x1)/2 and y         (W-1)/2, (H-1)/2      (W-1) / w and (H-1) / h
stride        (x0+x1-1)/2 and y       (W-1)/2, (H-1)/2      W / w, heatmap = input / stride
============  ======================  ====================  ==========================

``pixel_centre`` is livepose's own: a heatmap cell (x, y) of stride 4 covers input pixels 4x to
4x+3 and lies at (4x + 1.5, 4y + 1.5). ``hrnet`` is that of official HRNet files and of MMPose's
default and DARK files, ``dark`` that of DarkPose's files, ``udp`` that of MMPose's UDP files,
``stride`` that of networks whose coordinates are simply heatmap coordinates times the stride
(PP-TinyPose).

Boxes are edges as detectors and COCO give them: the single pixel (0, 0) is (0, 0, 1, 1), so
``(x0+x1-1)/2`` is the true centre in pixel-centre coordinates. They are not clipped to the image.
A side below one pixel counts as one; a box that is not finite gives NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livepose.crops import _kernels
from livepose.crops._kernels import Placing
from livepose.settings import ALIGNMENTS as ALIGNMENTS

Floats = NDArray[np.float64]

_HALF_PIXEL_BOXES = ("pixel_centre", "dark", "stride")
"""Alignments that take the box centre in pixel-centre coordinates."""


@dataclass(frozen=True)
class CropGeometry:
    """How boxes become network inputs, and heatmap coordinates become image coordinates.

    Parameters
    ----------
    alignment : str
        One of ``ALIGNMENTS``: what the checkpoint was trained with.
    input_hw : (int, int)
        Rows and columns of the network input.
    padding : float
        By how much the box is enlarged after it was widened to the shape of the input.

    Raises
    ------
    ValueError
        When the alignment is unknown, the size empty or the padding not positive.

    Examples
    --------
    >>> geometry = CropGeometry("pixel_centre", (128, 96), padding=1.0)
    >>> geometry.matrices([[0, 0, 48, 64]]).tolist()
    [[[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]]]
    >>> geometry.to_image([[[0.0, 0.0]]], [[0, 0, 48, 64]], (32, 24)).tolist()
    [[[0.5, 0.5]]]
    """

    alignment: str
    input_hw: tuple[int, int]
    padding: float = 1.25

    def __post_init__(self) -> None:
        if self.alignment not in ALIGNMENTS:
            raise ValueError(
                f"alignment: expected one of {', '.join(ALIGNMENTS)}, got {self.alignment!r}"
            )
        _check_size("input_hw", self.input_hw)
        if not 0 < self.padding < np.inf:
            raise ValueError(f"padding: expected a positive number, got {self.padding!r}")

    def matrices(self, boxes_xyxy: ArrayLike, rotation_deg: ArrayLike = 0.0) -> Floats:
        """Affine maps from image to input pixels, float64 (P, 2, 3).

        Parameters
        ----------
        boxes_xyxy : array_like of shape (P, 4)
            Left, top, right and bottom edges in image pixels.
        rotation_deg : float or array_like of shape (P,)
            Turns the crop about the box centre: at angle a its upward direction is the image
            direction (sin a, -cos a), y down; a person leaning to the right by a stands upright.

        Raises
        ------
        ValueError
            When the boxes are not (P, 4) or the angles do not fit them.
        """
        boxes = _check_boxes(boxes_xyxy)
        upright = isinstance(rotation_deg, float) and rotation_deg == 0.0
        turns = np.empty(0) if upright else _radians(rotation_deg, len(boxes))
        matrices = np.empty((len(boxes), 2, 3))
        _kernels.fill_matrices(boxes, turns, self.placing(self.input_hw), matrices)
        return matrices

    def to_image(
        self, heatmap_xy: ArrayLike, boxes_xyxy: ArrayLike, heatmap_hw: tuple[int, int]
    ) -> Floats:
        """Heatmap coordinates (P, K, 2) of unrotated crops to image pixels; NaN stays NaN.

        Raises
        ------
        ValueError
            When shapes do not fit together.
        """
        centre, factor, target = self._placement(boxes_xyxy, heatmap_hw)
        points = _check_points("heatmap_xy", heatmap_xy, len(centre))
        return centre[:, None] + (points - target) / factor[:, None]

    def to_heatmap(
        self, image_xy: ArrayLike, boxes_xyxy: ArrayLike, heatmap_hw: tuple[int, int]
    ) -> Floats:
        """Image pixels (P, K, 2) to heatmap coordinates of unrotated crops; NaN stays NaN.

        Raises
        ------
        ValueError
            When shapes do not fit together.
        """
        centre, factor, target = self._placement(boxes_xyxy, heatmap_hw)
        points = _check_points("image_xy", image_xy, len(centre))
        return target + (points - centre[:, None]) * factor[:, None]

    def decoded_to_image(
        self,
        heatmap_xy: Floats,
        covariance: Floats,
        boxes_xyxy: ArrayLike,
        heatmap_hw: tuple[int, int],
    ) -> tuple[Floats, Floats]:
        """Keypoints (P, K, 2) and covariances (P, K, 2, 2) of heatmaps in the image; NaN stays NaN.

        Raises
        ------
        ValueError
            When shapes do not fit together.
        """
        boxes = _check_boxes(boxes_xyxy)
        points = _check_points("heatmap_xy", heatmap_xy, len(boxes))
        if covariance.shape != (*points.shape, 2):
            raise ValueError(f"covariance: expected {(*points.shape, 2)}, got {covariance.shape}")
        image_xy, covariance_px2 = np.empty(points.shape), np.empty(covariance.shape)
        _kernels.to_image(
            *(np.ascontiguousarray(points), np.ascontiguousarray(covariance), boxes),
            *(self.placing(heatmap_hw), image_xy, covariance_px2),
        )
        return image_xy, covariance_px2

    def placing(self, output_hw: tuple[int, int]) -> Placing:
        """All that kernels have to know to place an output of this size in the image.

        Aspect of the input, padding and by how much box centres move; the px of the output that the
        crop's width spans, the same of its height (0: both scales are that of the width), and how
        much less than its side it spans of the source; and where box centres fall.
        """
        (rows, columns), (height, width) = self.input_hw, output_hw
        offset = -0.5 if self.alignment in _HALF_PIXEL_BOXES else 0.0
        less = 1.0 if self.alignment == "dark" else 0.0
        spans, target = (width - less, 0.0, less), ((width - 1.0) / 2, (height - 1.0) / 2)
        if self.alignment == "udp":
            spans = width - 1.0, height - 1.0, 0.0
        elif self.alignment == "hrnet":
            target = width / 2, height / 2
        elif self.alignment == "stride":
            target = (columns - 1.0) / 2 * (width / columns), (rows - 1.0) / 2 * (height / rows)
        return (columns / rows, float(self.padding), offset), spans, target

    def _placement(
        self, boxes_xyxy: ArrayLike, output_hw: tuple[int, int]
    ) -> tuple[Floats, Floats, Floats]:
        """Box centres (P, 2), output px per source px (P, 2), and where the centres fall (2,)."""
        _check_size("heatmap_hw", output_hw)
        boxes = _check_boxes(boxes_xyxy)
        shape, spans, target = self.placing(output_hw)
        placements = np.empty(boxes.shape)
        _kernels.place_boxes(boxes, shape, spans, placements)
        return placements[:, :2], placements[:, 2:], np.array(target)


def _check_size(name: str, size_hw: tuple[int, int]) -> None:
    if len(size_hw) != 2 or min(size_hw) < 2:
        raise ValueError(f"{name}: expected two integers from 2 on, got {size_hw!r}")


def _radians(rotation_deg: ArrayLike, people: int) -> Floats:
    """One angle for each person."""
    angles = np.deg2rad(np.asarray(rotation_deg, dtype=np.float64))
    if angles.shape not in ((), (people,)):
        raise ValueError(f"rotation_deg: expected one angle or {people}, got shape {angles.shape}")
    return np.array(np.broadcast_to(angles, (people,)))


def _check_boxes(boxes_xyxy: ArrayLike) -> Floats:
    boxes = np.ascontiguousarray(boxes_xyxy, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes_xyxy: expected shape (people, 4), got {boxes.shape}")
    return boxes


def _check_points(name: str, points_xy: ArrayLike, people: int) -> Floats:
    points = np.asarray(points_xy, dtype=np.float64)
    if points.ndim != 3 or points.shape[0] != people or points.shape[2] != 2:
        raise ValueError(f"{name}: expected shape ({people}, keypoints, 2), got {points.shape}")
    return points
