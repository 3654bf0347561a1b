"""The crops of a plan: cut on the CPU by the code that cuts them live, or on a device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from livepose.crops import cut_crops
from livepose.training.data import People
from livepose.training.geometry import inverse
from livepose.training.plan import Plan

CONTEXT = 1.7  # side of the kept square over the longer side of the fitted box
CHUNK = 256

Floats = NDArray[np.float64]


def render_crops(people: People, plan: Plan, input_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The crops of a plan as bytes, (B, h, w, 3) BGR; black where there is no picture."""
    crops = np.empty((len(plan), *input_hw, 3), dtype=np.uint8)
    rows = zip(plan.people, plan.windows_xyxy, plan.matrices, strict=True)
    for row, (person, window_xyxy, matrix) in enumerate(rows):
        image = people.pictures.image_bgr(int(people.picture[person]))
        # Webcam cuts end at the bottom alone, so that the part is a view without a copy.
        left, top, right, bottom = np.rint(window_xyxy + 0.5).astype(int).tolist()
        left = min(max(left, 0), image.shape[1] - 1)
        top = min(max(top, 0), image.shape[0] - 1)
        part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
        moved = matrix.copy()
        moved[:, 2] += matrix[:, :2] @ (float(left), float(top))
        cut_crops(part, moved[None], input_hw, out=crops[row : row + 1])
    return crops


class DeviceCrops:
    """All people as squares of bytes on a device, (N, 3, S, S) RGB: decoded once, sampled there.

    Every square is wide enough for what the plan asks. A plan's matrix leads from the picture to
    the input; here it is followed backwards, from the input's pixels through the picture into the
    kept square, where ``grid_sample`` reads.
    """

    def __init__(
        self,
        people: People,
        sizes_hw: Sequence[tuple[int, int]],
        device: torch.device,
        side_px: int,
    ) -> None:
        self._device, self._side_px = device, side_px
        matrices = _square_matrices(people.boxes_xyxy, sizes_hw, side_px)
        self._to_square = torch.from_numpy(matrices).float().to(device)
        self._bytes = torch.empty((len(people), 3, side_px, side_px), dtype=torch.uint8)
        for start in range(0, len(people), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(people)))
            plan = Plan.of_squares(rows, matrices[rows], people.windows_xyxy[rows])
            squares = render_crops(people, plan, (side_px, side_px))
            self._bytes[rows] = torch.from_numpy(squares).flip(-1).permute(0, 3, 1, 2)
        self._bytes = self._bytes.to(device)

    def render(self, plan: Plan, input_hw: tuple[int, int]) -> Tensor:
        """Float crops (B, 3, h, w) RGB, grey levels, black where there is no picture."""
        y, x = (torch.arange(side, device=self._device, dtype=torch.float32) for side in input_hw)
        pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # centres, (h, w, 2)
        back = torch.from_numpy(inverse(plan.matrices)).float().to(self._device)
        picture_xy = pixels @ back[:, None, :, :2].mT + back[:, None, None, :, 2]
        which = torch.from_numpy(plan.people).to(self._device)
        square = self._to_square[which]
        square_xy = picture_xy @ square[:, None, :, :2].mT + square[:, None, None, :, 2]
        grid = (2 * square_xy + 1) / self._side_px - 1
        crops = functional.grid_sample(
            self._bytes[which].float(), grid, padding_mode="zeros", align_corners=False
        )
        return crops * self._inside(picture_xy, plan.windows_xyxy)[:, None]

    def _inside(self, picture_xy: Tensor, windows_xyxy: Floats) -> Tensor:
        """1 inside the window, falling to 0 within the pixel at its edge, (B, h, w)."""
        windows = torch.from_numpy(windows_xyxy).float().to(self._device)[:, None, None]
        low = (picture_xy - windows[..., :2] + 0.5).clamp(0, 1)
        high = (windows[..., 2:] - picture_xy + 0.5).clamp(0, 1)
        return (low * high).prod(dim=-1)


def _square_matrices(
    boxes_xyxy: Floats, sizes_hw: Sequence[tuple[int, int]], side_px: int
) -> Floats:
    """Picture px to px of the kept square, (N, 2, 3), upright and without mirroring.

    The square's side is the longer one of the box as it is fitted into any of the inputs, and
    context around it.
    """
    wide, high = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).T
    most = max(max(size) / size[1] for size in sizes_hw)
    factor = side_px / (CONTEXT * np.maximum(wide * most, high))
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:] - 1) / 2
    matrices = np.zeros((len(boxes_xyxy), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factor
    matrices[:, :, 2] = (side_px - 1) / 2 - factor[:, None] * centre
    return matrices
