"""Where things are between the picture, the network input and the heatmap, while training.

Boxes become crops as they do when the network is used (``livepose.crops``). What training adds:
a mirrored crop, and the way from the input to the heatmap without going through the picture.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.crops import CropGeometry

Floats = NDArray[np.float64]
STRIDE = 4


@dataclass(frozen=True)
class TrainingGeometry:
    """One alignment at one input size; heatmaps have a quarter of the input's rows and columns."""

    alignment: str
    input_hw: tuple[int, int]
    padding: float = 1.25

    @property
    def heatmap_hw(self) -> tuple[int, int]:
        """Rows and columns of the heatmap."""
        return self.input_hw[0] // STRIDE, self.input_hw[1] // STRIDE

    @property
    def crops(self) -> CropGeometry:
        """The same geometry as the network is used with."""
        return CropGeometry(self.alignment, self.input_hw, self.padding)

    @property
    def centre_x(self) -> float:
        """Input column on which a box centre falls; mirroring turns about it."""
        width = self.input_hw[1]
        return width / 2 if self.alignment == "hrnet" else (width - 1) / 2

    def matrices(self, boxes_xyxy: Floats, rotation_deg: Floats, flip: NDArray[np.bool_]) -> Floats:
        """Picture px to input px, (P, 2, 3), for boxes (P, 4), turned, some of them mirrored."""
        matrices = self.crops.matrices(boxes_xyxy, rotation_deg).copy()
        matrices[flip, 0] *= -1
        matrices[flip, 0, 2] += 2 * self.centre_x
        return matrices

    def to_heatmap(self, input_xy: Floats) -> Floats:
        """Input px (..., 2) to heatmap px.

        Integers are pixel centres. ``pixel_centre``: cell x lies at 4x + 1.5.
        ``hrnet`` and ``stride``: at 4x. ``dark`` and ``udp``: the outermost cells lie on
        the outermost pixels, for ``dark`` with the factor of the width in both axes.
        """
        size_wh = np.array(self.input_hw[::-1], dtype=np.float64)
        cells_wh = np.array(self.heatmap_hw[::-1], dtype=np.float64)
        if self.alignment in ("hrnet", "stride"):
            return np.asarray(input_xy / STRIDE)
        if self.alignment == "pixel_centre":
            return np.asarray((input_xy - (STRIDE - 1) / 2) / STRIDE)
        factor = (cells_wh - 1) / (size_wh - 1)
        if self.alignment == "dark":
            factor = factor[:1]
        return np.asarray((input_xy - (size_wh - 1) / 2) * factor + (cells_wh - 1) / 2)


def transform(matrices: Floats, xy: Floats) -> Floats:
    """Affine matrices (P, 2, 3) applied to points (P, K, 2)."""
    return np.asarray(np.einsum("pij,pkj->pki", matrices[:, :, :2], xy) + matrices[:, None, :, 2])


def inverse(matrices: Floats) -> Floats:
    """Inverse affine matrices, (P, 2, 3) to (P, 2, 3)."""
    turned = np.linalg.inv(matrices[:, :, :2])
    shift = -np.einsum("pij,pj->pi", turned, matrices[:, :, 2])
    return np.concatenate([turned, shift[:, :, None]], axis=2)
