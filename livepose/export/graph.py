"""What an exported file computes: normalisation, network, activation, calibration.

DARK is in ``dark``.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.crops import CropGeometry
from livepose.export.dark import decode_dark
from livepose.heatmaps import blur_taps
from livepose.networks.folding import fold_batch_norms
from livepose.runtimes.torch import PoseGraph
from livepose.weights import Card
from livepose.weights.calibration import Calibration, calibration_of

COLUMNS = ("x", "y", "score", "cov_xx", "cov_xy", "cov_yy")


class KeypointGraph(nn.Module):
    """Crops uint8 (N, H, W, 3), blue first, to keypoints float32 (N, K, 6), see ``COLUMNS``.

    All in pixels of the crop; NaN and score 0 where there is nothing. With ``heatmaps`` a second
    output has the heatmaps, float32 (N, K, H / 4, W / 4). With ``half`` the network computes in
    float16, and what follows it in float32 all the same.
    """

    taps: Tensor
    scale: Tensor
    offset: Tensor
    intercept: Tensor

    def __init__(self, network: nn.Module, card: Card, heatmaps: bool, half: bool) -> None:
        super().__init__()
        self.pose = PoseGraph(fold_batch_norms(network), card)
        if half:
            self.pose.half()
        self.card, self.heatmaps = card, heatmaps
        self.calibration = calibration_of(card)
        scale, offset = heatmap_to_crop(card)
        self.register_buffer("taps", _floats(blur_taps(card.blur_kernel)))
        self.register_buffer("scale", _floats(scale))
        self.register_buffer("offset", _floats(offset))
        self.register_buffer("intercept", _floats(getattr(self.calibration, "intercept", ())))

    def forward(self, crops_bgr: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Crops to keypoints, and to heatmaps where they are wanted."""
        maps = self.pose(crops_bgr)
        found = decode_dark(maps, self.taps)
        score, covariance = found[..., 2], found[..., 3:]
        if self.calibration is not None:
            covariance = _calibrated(covariance, score, self.calibration, self.intercept)
        squares = torch.stack([self.scale[0] ** 2, self.scale.prod(), self.scale[1] ** 2])
        xy = found[..., :2] * self.scale + self.offset
        keypoints = torch.cat([xy, score[..., None], covariance * squares], dim=-1)
        return (keypoints, maps) if self.heatmaps else keypoints


def heatmap_to_crop(card: Card) -> tuple[tuple[float, float], tuple[float, float]]:
    """Scale and offset that bring x, y of a heatmap into the crop, see ``livepose.crops``."""
    geometry = CropGeometry(card.alignment, card.input_hw)
    _, (wide, high, _), centre_xy = geometry.placing(card.heatmap_hw)
    _, (crop_wide, crop_high, _), crop_centre_xy = geometry.placing(card.input_hw)
    along_x = crop_wide / wide
    along_y = crop_high / high if high else along_x
    return (along_x, along_y), (
        crop_centre_xy[0] - along_x * centre_xy[0],
        crop_centre_xy[1] - along_y * centre_xy[1],
    )


def _calibrated(
    covariance: Tensor, score: Tensor, calibration: Calibration, intercept: Tensor
) -> Tensor:
    """``Calibration.apply`` as torch operations: xx, xy, yy (N, K, 3) of the expected error."""
    shape, height, flat, least_score = calibration.slopes
    log = intercept + height * torch.log(score.clamp(min=least_score))
    variance = (covariance[..., 0] + covariance[..., 2]) / 2
    known = variance > 0
    safe = torch.where(known, variance, 1.0)
    share = torch.exp(2 * log + shape * torch.log(safe)) / safe
    alone = torch.exp(2 * (log + flat))
    round_ = torch.stack([alone, torch.zeros_like(alone), alone], dim=-1)
    expected = torch.where(known[..., None], share[..., None] * covariance, round_)
    return torch.where((score > 0)[..., None], expected, torch.nan)


def _floats(values: Sequence[float] | NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))
