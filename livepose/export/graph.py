"""What an exported file computes: normalisation, network, activation, DARK, calibration."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from livepose.crops import CropGeometry
from livepose.heatmaps import blur_taps
from livepose.heatmaps._kernels import LOG_FLOOR, REACH
from livepose.networks import fold_batch_norms
from livepose.runtimes.torch import PoseGraph
from livepose.weights import Card
from livepose.weights.calibration import Calibration, calibration_of

COLUMNS = ("x", "y", "score", "cov_xx", "cov_xy", "cov_yy")


class KeypointGraph(nn.Module):
    """Crops uint8 (N, H, W, 3), blue first, to keypoints float32 (N, K, 6), see ``COLUMNS``.

    All in pixels of the crop; NaN and score 0 where there is nothing. With ``heatmaps`` those are
    a second output, (N, K, H / 4, W / 4). ``half`` is for the network; what follows is in float32.
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


def decode_dark(heatmaps: Tensor, taps: Tensor) -> Tensor:
    """DARK of maps (B, K, H, W): (B, K, 6), see ``COLUMNS``, in heatmap pixels.

    The same rules in the same order, and with the same NaN, as in ``livepose.heatmaps``, in
    operations of which none depends on the values of a map: they can be recorded. ``taps`` are the
    weights of the blur, (k,), and all is computed in their type.
    """
    height, width = heatmaps.shape[2:]
    maps = heatmaps.to(taps.dtype)
    flat = maps.flatten(2)
    peak, index = flat.max(dim=2)
    found = torch.isfinite(flat).all(dim=2) & (peak > 0)
    x, y = index % width, index // width
    inside = found & (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    blurred = _blur(maps, taps)
    highest = blurred.amax(dim=(2, 3))
    window = _window_around(blurred, x.clamp(2, width - 3), y.clamp(2, height - 3))
    window = (window * (peak / highest)[..., None, None]).clamp(min=LOG_FLOOR)
    step, covariance = _newton_step(window)
    moves = (inside & (highest > 0))[..., None]
    xy = torch.stack([x, y], dim=2) + torch.where(moves, step, 0.0)
    parts = (
        torch.where(found[..., None], xy, torch.nan),
        torch.where(found, peak, 0.0)[..., None],
        torch.where(moves, covariance, torch.nan),
    )
    return torch.cat(parts, dim=2)


def _blur(maps: Tensor, taps: Tensor) -> Tensor:
    """Blurred maps; cells outside count as 0. Tap by tap, so that equal cells stay equal."""
    height, width, radius = *maps.shape[2:], len(taps) // 2
    wide = pad(maps, (radius, radius))
    rows: Tensor = reduce(torch.add, (wide[..., t : t + width] * tap for t, tap in enumerate(taps)))
    high = pad(rows, (0, 0, radius, radius))
    parts = (high[..., t : t + height, :] * tap for t, tap in enumerate(taps))
    blurred: Tensor = reduce(torch.add, parts)
    return blurred


def _window_around(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Squares of 5x5 cells around cells (B, K) of maps (B, K, H, W): (B, K, 5, 5)."""
    width = maps.shape[3]
    reach = torch.arange(-2, 3, device=maps.device)
    places = (y * width + x)[..., None] + (reach[:, None] * width + reach).flatten()
    return maps.flatten(2).gather(2, places).view(*places.shape[:2], 5, 5)


def _newton_step(window: Tensor) -> tuple[Tensor, Tensor]:
    """Step (..., 2) and covariance xx, xy, yy (..., 3) from the cells around, (..., 5, 5)."""

    def cell(x: int, y: int) -> Tensor:
        return window[..., 2 + y, 2 + x]

    middle = cell(0, 0)
    gx = 0.5 * torch.log(cell(1, 0) / cell(-1, 0))
    gy = 0.5 * torch.log(cell(0, 1) / cell(0, -1))
    hxx = 0.25 * torch.log(cell(2, 0) / middle * (cell(-2, 0) / middle))
    hyy = 0.25 * torch.log(cell(0, 2) / middle * (cell(0, -2) / middle))
    hxy = 0.25 * torch.log(cell(1, 1) / cell(1, -1) * (cell(-1, -1) / cell(-1, 1)))
    det = hxx * hyy - hxy * hxy
    peaked = ((hxx < 0) & (det > 0) & (det < torch.inf))[..., None]
    xx, xy, yy = -hyy / det, hxy / det, -hxx / det
    step = torch.stack([xx * gx + xy * gy, xy * gx + yy * gy], dim=-1)
    longest = step.abs().amax(dim=-1, keepdim=True)
    step = torch.where(longest > REACH, step * (REACH / longest), step)
    gradient = torch.stack([gx, gy], dim=-1)
    uphill = torch.where(det[..., None] == 0, 0.0, 0.25 * gradient.sign())
    covariance = torch.stack([xx, xy, yy], dim=-1)
    return torch.where(peaked, step, uphill), torch.where(peaked, covariance, torch.nan)


def heatmap_to_crop(card: Card) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and offset (2,) that bring x, y of a heatmap into the crop, by way of an image."""
    geometry, box = CropGeometry(card.alignment, card.input_hw), np.array([[0.0, 0.0, 100, 100]])
    cells = geometry.to_image(np.array([[[0.0, 0.0], [1.0, 1.0]]]), box, card.heatmap_hw)
    matrix = geometry.matrices(box)[0]
    offset, next_cell = cells[0] @ matrix[:, :2].T + matrix[:, 2]
    return next_cell - offset, offset


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
