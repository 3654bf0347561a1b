"""Crops of a plan, cut on the device: decode once, keep bytes there, sample them in batches.

Every person is kept as one square of bytes around the box, wide enough for what the plan asks.
A plan's matrix leads from the picture to the input; here it is followed backwards, from the
input's pixels through the picture into the kept square, where ``grid_sample`` reads. Colour,
blur, noise, occlusion and targets are the same tensor code as on the CPU.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from livepose.training.data import People
from livepose.training.geometry import inverse
from livepose.training.plan import Plan
from livepose.training.render import render_crops

CONTEXT = 1.7  # side of the kept square over the longer side of the fitted box
CHUNK = 256


class DeviceCrops:
    """All people as squares of bytes on a device, (N, 3, S, S) RGB."""

    def __init__(
        self,
        people: People,
        sizes_hw: Sequence[tuple[int, int]],
        device: torch.device,
        side_px: int,
    ) -> None:
        self._device, self._side_px = device, side_px
        matrices = square_matrices(people.boxes_xyxy, sizes_hw, side_px)
        self._to_square = torch.from_numpy(matrices).float().to(device)
        self._bytes = torch.empty((len(people), 3, side_px, side_px), dtype=torch.uint8)
        for start in range(0, len(people), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(people)))
            squares = render_crops(people, _square_plan(people, rows, matrices), (side_px, side_px))
            self._bytes[rows] = torch.from_numpy(squares).flip(-1).permute(0, 3, 1, 2)
        self._bytes = self._bytes.to(device)

    def render(self, plan: Plan, input_hw: tuple[int, int]) -> Tensor:
        """Float crops (B, 3, h, w) RGB, grey levels, black where there is no picture."""
        backwards = torch.from_numpy(inverse(plan.matrices)).float().to(self._device)
        picture_xy = (
            self._pixels(input_hw) @ backwards[:, None, :, :2].mT + backwards[:, None, None, :, 2]
        )
        which = torch.from_numpy(plan.people).to(self._device)
        square = self._to_square[which]
        square_xy = picture_xy @ square[:, None, :, :2].mT + square[:, None, None, :, 2]
        grid = (2 * square_xy + 1) / self._side_px - 1
        crops = functional.grid_sample(
            self._bytes[which].float(), grid, padding_mode="zeros", align_corners=False
        )
        return crops * self._inside(picture_xy, plan.windows_xyxy)[:, None]

    def _pixels(self, input_hw: tuple[int, int]) -> Tensor:
        """Input pixel centres, (h, w, 2)."""
        height, width = input_hw
        y, x = torch.meshgrid(
            torch.arange(height, device=self._device, dtype=torch.float32),
            torch.arange(width, device=self._device, dtype=torch.float32),
            indexing="ij",
        )
        return torch.stack([x, y], dim=-1)

    def _inside(self, picture_xy: Tensor, windows_xyxy: NDArray[np.float64]) -> Tensor:
        """1 inside the window, falling to 0 within the pixel at its edge, (B, h, w)."""
        windows = torch.from_numpy(windows_xyxy).float().to(self._device)[:, None, None]
        low = (picture_xy - windows[..., :2] + 0.5).clamp(0, 1)
        high = (windows[..., 2:] - picture_xy + 0.5).clamp(0, 1)
        return (low * high).prod(dim=-1)


def square_matrices(
    boxes_xyxy: NDArray[np.float64], sizes_hw: Sequence[tuple[int, int]], side_px: int
) -> NDArray[np.float64]:
    """Picture px to px of the kept square, (N, 2, 3), upright and without mirroring."""
    side = square_sides(boxes_xyxy, sizes_hw)
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:] - 1) / 2
    factor = side_px / side
    matrices = np.zeros((len(boxes_xyxy), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factor
    matrices[:, :, 2] = (side_px - 1) / 2 - factor[:, None] * centre
    return matrices


def square_sides(
    boxes_xyxy: NDArray[np.float64], sizes_hw: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Side of the kept square in picture px, (N,): the fitted box's longer side, and context."""
    wide, high = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).T
    most = max(max(size) / size[1] for size in sizes_hw)
    return np.asarray(CONTEXT * np.maximum(wide * most, high))


def _square_plan(people: People, rows: NDArray[np.int64], matrices: NDArray[np.float64]) -> Plan:
    """Only the geometry of the kept squares; the rest of the plan is empty."""
    nothing = np.zeros((len(rows), 0))
    keep = {"people": rows, "matrices": matrices[rows], "windows_xyxy": people.windows_xyxy[rows]}
    names = (name for name in Plan.__dataclass_fields__ if name not in keep)
    return Plan(**keep, **dict.fromkeys(names, nothing))  # type: ignore[arg-type]
