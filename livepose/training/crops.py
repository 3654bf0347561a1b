"""The crops of a plan: cut on the CPU by the code that cuts them live, or on a device; then their
colours, blur, noise and occlusion, on whatever device they are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from livepose.crops import cut_crops
from livepose.training.data import People
from livepose.training.plan import Plan
from livepose.weights.card import IMAGENET_MEAN, IMAGENET_STD

CONTEXT = 1.7  # side of the kept square over the longer side of the fitted box
SIDE_PX = 192  # of that square

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def render_crops(
    people: People, rows: Indices, windows_xyxy: Floats, matrices: Floats, input_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Crops of the people ``rows`` as bytes, (B, h, w, 3) BGR; black where there is no image."""
    crops = np.empty((len(rows), *input_hw, 3), dtype=np.uint8)
    for index, (person, matrix) in enumerate(zip(rows, matrices, strict=True)):
        image = people.image_bgr(person)
        # Webcam cuts end at the bottom alone, so that the part is a view without a copy.
        bottom = max(1, round(windows_xyxy[index, 3] + 0.5))
        crops[index] = cut_crops(image[:bottom], matrix[None], input_hw)[0]
    return crops


def square_matrices(
    boxes_xyxy: Floats, sizes_hw: Sequence[tuple[int, int]], sides_px: ArrayLike
) -> Floats:
    """Image px to px of squares around boxes, (N, 2, 3), upright and without mirroring.

    They are wide enough for what a plan asks: the longer side of the box as it is fitted into any
    of the inputs, and context. ``sides_px`` is one number or (N,).
    """
    wide, high = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).T
    most = max(max(size) / size[1] for size in sizes_hw)
    sides = np.broadcast_to(sides_px, wide.shape)
    factor = sides / (CONTEXT * np.maximum(wide * most, high))
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:] - 1) / 2
    matrices = np.zeros((len(boxes_xyxy), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factor
    matrices[:, :, 2] = (sides[:, None] - 1) / 2 - factor[:, None] * centre
    return matrices


class DeviceCrops:
    """All people as squares of bytes on a device, (N, 3, S, S) RGB: decoded once, sampled there.

    A plan's matrix leads from the image to the input; here it is followed backwards, from the
    input's pixels through the image into the kept square, where ``grid_sample`` reads.
    """

    def __init__(
        self, people: People, sizes_hw: Sequence[tuple[int, int]], device: torch.device
    ) -> None:
        self._device = device
        matrices = square_matrices(people.boxes_xyxy, sizes_hw, SIDE_PX)
        self._to_square = torch.from_numpy(matrices).float().to(device)
        everybody = np.arange(len(people))
        cut = people.windows_xyxy, matrices, (SIDE_PX, SIDE_PX)
        squares = render_crops(people, everybody, *cut)
        self._bytes = torch.from_numpy(squares).to(device).flip(-1).permute(0, 3, 1, 2)

    def render(self, plan: Plan) -> Tensor:
        """Float crops (B, 3, h, w) RGB, grey levels, black where there is no image."""

        def here(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(values).float().to(self._device)

        y, x = (torch.arange(side, device=self._device).float() for side in plan.input_hw)
        pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # centres, (h, w, 2)
        linear = here(np.linalg.inv(plan.matrices[..., :2]))[:, None]
        image_xy = (pixels - here(plan.matrices[..., 2])[:, None, None]) @ linear.mT
        which = torch.from_numpy(plan.people).to(self._device)
        square = self._to_square[which]
        square_xy = image_xy @ square[:, None, :, :2].mT + square[:, None, None, :, 2]
        grid = (2 * square_xy + 1) / SIDE_PX - 1
        crops = functional.grid_sample(
            self._bytes[which].float(), grid, padding_mode="zeros", align_corners=False
        )
        # 1 inside the window, falling to 0 within the pixel at its edge.
        windows = here(plan.windows_xyxy)[:, None, None]
        low = (image_xy - windows[..., :2] + 0.5).clamp(0, 1)
        high = (windows[..., 2:] - image_xy + 0.5).clamp(0, 1)
        return crops * (low * high).prod(dim=-1)[:, None]


def normalised(crops_rgb: Tensor) -> Tensor:
    """Grey levels (B, 3, h, w), RGB, to network input."""
    mean, std = (crops_rgb.new_tensor(one)[:, None, None] for one in (IMAGENET_MEAN, IMAGENET_STD))
    return (crops_rgb - mean) / std


def changed(crops_rgb: Tensor, plan: Plan) -> Tensor:
    """Float crops (B, 3, h, w) RGB in grey levels, changed as planned and normalised."""
    crops = _blur(_colour(crops_rgb, plan), plan)
    return normalised(_cover(crops + _noise(crops, plan), plan).clamp(0, 255))


def _on_device(values: Floats, like: Tensor) -> Tensor:
    """One value a row, or a colour, as something to multiply crops with."""
    moved = torch.from_numpy(values.astype(np.float32)).to(like.device, non_blocking=True)
    return moved.reshape(len(values), -1, 1, 1)


def _colour(crops: Tensor, plan: Plan) -> Tensor:
    lit = crops * _on_device(plan.gain, crops) + _on_device(plan.bias, crops)
    grey = lit.mean(dim=1, keepdim=True)
    return grey + (lit - grey) * _on_device(plan.saturation, crops)


def _blur(crops: Tensor, plan: Plan) -> Tensor:
    """A Gaussian of three taps along both axes, in the rows that are to be blurred."""
    rows = np.flatnonzero(plan.blur_px > 0)
    if not len(rows):
        return crops
    which = torch.from_numpy(rows).to(crops.device)
    beside = np.exp(-0.5 / plan.blur_px[rows] ** 2)
    tap = _on_device(beside / (1 + 2 * beside), crops)
    chosen = functional.pad(crops[which], (1, 1, 1, 1), mode="replicate")
    chosen = (1 - 2 * tap) * chosen[..., 1:-1] + tap * (chosen[..., :-2] + chosen[..., 2:])
    chosen = (1 - 2 * tap) * chosen[:, :, 1:-1] + tap * (chosen[:, :, :-2] + chosen[:, :, 2:])
    return crops.index_copy(0, which, chosen)


def _noise(crops: Tensor, plan: Plan) -> Tensor:
    """Normal noise of each row's strength.

    On the CPU every row has a generator of its own, so that it is the same in any batch; on a
    device the batch shares one.
    """
    generator = torch.Generator(device=crops.device)
    drawn = torch.zeros_like(crops)
    if crops.device.type == "cpu":
        for row in np.flatnonzero(plan.noise > 0):
            generator.manual_seed(int(plan.noise_seeds[row]))
            drawn[row] = torch.randn(crops.shape[1:], generator=generator)
    else:
        generator.manual_seed(int(plan.noise_seeds[0]))
        drawn.normal_(generator=generator)
    return drawn * _on_device(plan.noise, crops)


def _cover(crops: Tensor, plan: Plan) -> Tensor:
    """A rectangle of one colour where one is planned."""
    x, y = (
        torch.arange(side, device=crops.device, dtype=crops.dtype) for side in crops.shape[:1:-1]
    )
    left, top, right, bottom = _on_device(plan.hole_xyxy, crops).unbind(dim=1)
    y = y[:, None]
    hidden = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return torch.where(hidden[:, None], _on_device(plan.hole_rgb, crops), crops)
