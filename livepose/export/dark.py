"""DARK as torch operations, for heatmaps that are on a device already.

The same rules, in the same order, as ``decode_dark`` and its kernels; see there for what they are
and why. Nothing here depends on the values of a map, so that it can be
recorded: what is found is chosen at the end. The live path on a processor does not load this.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from livepose.heatmaps._kernels import LOG_FLOOR, REACH

FIGURES = 6
"""x, y, score, covariance xx, xy, yy."""


def decode_dark(heatmaps: Tensor, taps: Tensor) -> Tensor:
    """Centres, scores and covariances of maps (B, K, H, W): (B, K, 6).

    ``taps`` are the weights of the blur, (k,), on the same device; all is computed in their type,
    in float64 as ``decode_dark`` does. The figures are x, y, score, covariance xx, xy and yy in
    heatmap pixels; NaN and score 0 as ``decode_dark`` has them.
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
    window = window_around(blurred, x.clamp(2, width - 3), y.clamp(2, height - 3))
    window = (window * (peak / highest)[..., None, None]).clamp(min=LOG_FLOOR)
    step, covariance = newton_step(window)
    moves = (inside & (highest > 0))[..., None]
    nan = torch.full_like(peak, torch.nan)
    xy = torch.stack([x, y], dim=2) + torch.where(moves, step, 0.0)
    return torch.cat(
        [
            torch.where(found[..., None], xy, nan[..., None]),
            torch.where(found, peak, 0.0)[..., None],
            torch.where(moves, covariance, nan[..., None]),
        ],
        dim=2,
    )


def blur(maps: Tensor, taps: Tensor) -> Tensor:
    """Blurred maps; cells outside count as 0. Tap by tap, so that equal cells stay equal."""
    height, width, radius = *maps.shape[2:], len(taps) // 2
    padded = torch.nn.functional.pad(maps, (radius, radius))
    along_x = sum_of(padded[..., t : t + width] * taps[t] for t in range(len(taps)))
    padded = torch.nn.functional.pad(along_x, (0, 0, radius, radius))
    return sum_of(padded[..., t : t + height, :] * taps[t] for t in range(len(taps)))


def window_around(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Squares of 5x5 cells around cells (B, K) of maps (B, K, H, W): (B, K, 5, 5)."""
    width = maps.shape[3]
    reach = torch.arange(-2, 3, device=maps.device)
    around = (reach[:, None] * width + reach).flatten()
    places = (y * width + x)[..., None] + around
    return maps.flatten(2).gather(2, places).view(*places.shape[:2], 5, 5)


def newton_step(window: Tensor) -> tuple[Tensor, Tensor]:
    """Step (..., 2) and covariance xx, xy, yy (..., 3) from the cells around, (..., 5, 5)."""
    middle = window[..., 2, 2]

    def half_log(first: Tensor, second: Tensor) -> Tensor:
        return 0.5 * torch.log(first / second)

    def quarter_log(first: Tensor, second: Tensor) -> Tensor:
        return 0.25 * torch.log(first * second)

    gx = half_log(window[..., 2, 3], window[..., 2, 1])
    gy = half_log(window[..., 3, 2], window[..., 1, 2])
    hxx = quarter_log(window[..., 2, 4] / middle, window[..., 2, 0] / middle)
    hyy = quarter_log(window[..., 4, 2] / middle, window[..., 0, 2] / middle)
    hxy = quarter_log(window[..., 3, 3] / window[..., 1, 3], window[..., 1, 1] / window[..., 3, 1])
    det = hxx * hyy - hxy * hxy
    peaked = (hxx < 0) & (det > 0) & (det < torch.inf)
    covariance = torch.stack([-hyy / det, hxy / det, -hxx / det], dim=-1)
    gradient = torch.stack([gx, gy], dim=-1)
    step = torch.stack(
        [
            covariance[..., 0] * gx + covariance[..., 1] * gy,
            covariance[..., 1] * gx + covariance[..., 2] * gy,
        ],
        dim=-1,
    )
    longest = step.abs().amax(dim=-1, keepdim=True)
    step = torch.where(longest > REACH, step * (REACH / longest), step)
    uphill = torch.where(det[..., None] == 0, 0.0, 0.25 * gradient.sign())
    return (
        torch.where(peaked[..., None], step, uphill),
        torch.where(peaked[..., None], covariance, torch.nan),
    )


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    """Their sum, one after the other."""
    total, *others = terms
    for term in others:
        total = total + term
    return total
