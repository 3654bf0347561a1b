"""DARK as torch operations, of which none depends on the values of a map: they can be recorded.

The same rules, in the same order, as ``livepose.heatmaps.decode_dark`` and its kernels; see there
for what they are and why.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import pad

from livepose.heatmaps._kernels import LOG_FLOOR, REACH


def decode_dark(heatmaps: Tensor, taps: Tensor) -> Tensor:
    """Centres, scores and covariances of maps (B, K, H, W): (B, K, 6).

    ``taps`` are the weights of the blur, (k,), and all is computed in their type. The figures are
    x, y, score, covariance xx, xy and yy in heatmap pixels; NaN and score 0 as ``decode_dark`` of
    ``livepose.heatmaps`` has them.
    """
    height, width = heatmaps.shape[2:]
    maps = heatmaps.to(taps.dtype)
    flat = maps.flatten(2)
    peak, index = flat.max(dim=2)
    found = torch.isfinite(flat).all(dim=2) & (peak > 0)
    x, y = index % width, index // width
    inside = found & (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    blurred = blur(maps, taps)
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


def blur(maps: Tensor, taps: Tensor) -> Tensor:
    """Blurred maps; cells outside count as 0. Tap by tap, so that equal cells stay equal."""
    height, width, radius = *maps.shape[2:], len(taps) // 2
    wide = pad(maps, (radius, radius))
    along_x = _sum(wide[..., t : t + width] * tap for t, tap in enumerate(taps))
    high = pad(along_x, (0, 0, radius, radius))
    return _sum(high[..., t : t + height, :] * tap for t, tap in enumerate(taps))


def _sum(terms: Iterable[Tensor]) -> Tensor:
    total, *others = terms
    for term in others:
        total = total + term
    return total


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
