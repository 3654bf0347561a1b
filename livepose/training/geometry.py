"""Where things are between the picture, the network input and the heatmap, while training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.crops import CropGeometry
from livepose.weights.card import STRIDE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingGeometry(CropGeometry):
    """Crops as the network is used with; besides mirrored ones, and the way from the input to the
    heatmap without going through the picture.
    """

    @property
    def heatmap_hw(self) -> tuple[int, int]:
        """Rows and columns of the heatmap."""
        return self.input_hw[0] // STRIDE, self.input_hw[1] // STRIDE

    def turned(self, boxes_xyxy: Floats, rotation_deg: Floats, flip: NDArray[np.bool_]) -> Floats:
        """Picture px to input px, (P, 2, 3), for boxes (P, 4), turned, some of them mirrored."""
        matrices = self.matrices(boxes_xyxy, rotation_deg)
        _, _, (centre_x, _) = self.placing(self.input_hw)
        matrices[flip, 0] *= -1
        matrices[flip, 0, 2] += 2 * centre_x
        return matrices

    def input_to_heatmap(self, input_xy: Floats) -> Floats:
        """Input px (..., 2) to heatmap px: box centres fall on box centres, spans on spans."""
        _, span, centre = self.placing(self.input_hw)
        _, cells, middle = self.placing(self.heatmap_hw)
        across = cells[0] / span[0]
        down = cells[1] / span[1] if span[1] else across
        return np.asarray((input_xy - np.array(centre)) * (across, down) + np.array(middle))


def transform(matrices: Floats, xy: Floats) -> Floats:
    """Affine matrices (P, 2, 3) applied to points (P, K, 2)."""
    return np.asarray(np.einsum("pij,pkj->pki", matrices[:, :, :2], xy) + matrices[:, None, :, 2])


def inverse(matrices: Floats) -> Floats:
    """Inverse affine matrices, (P, 2, 3) to (P, 2, 3)."""
    turned = np.linalg.inv(matrices[:, :, :2])
    shift = -np.einsum("pij,pj->pi", turned, matrices[:, :, 2])
    return np.concatenate([turned, shift[:, :, None]], axis=2)
