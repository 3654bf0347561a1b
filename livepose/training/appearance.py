"""Colour, blur, noise and occlusion of a batch of crops, on whatever device the crops are."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from livepose.training.plan import Plan
from livepose.weights.card import IMAGENET_MEAN, IMAGENET_STD


def normalised(crops_rgb: Tensor) -> Tensor:
    """Grey levels (B, 3, h, w), RGB, to network input."""
    mean, std = (crops_rgb.new_tensor(one)[:, None, None] for one in (IMAGENET_MEAN, IMAGENET_STD))
    return (crops_rgb - mean) / std


def changed(crops_rgb: Tensor, plan: Plan) -> Tensor:
    """Float crops (B, 3, h, w) RGB in grey levels, changed as planned and normalised."""
    crops = blur(colour(crops_rgb, plan), plan)
    return normalised(cover(crops + noise(crops, plan), plan).clamp(0, 255))


def on_device(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], like: Tensor) -> Tensor:
    """An array as float32 tensor where ``like`` is."""
    return torch.from_numpy(values.astype(np.float32)).to(like.device, non_blocking=True)


def colour(crops: Tensor, plan: Plan) -> Tensor:
    """Gain, bias and saturation."""
    gain, bias = on_device(plan.gain, crops), on_device(plan.bias, crops)
    lit = crops * gain[:, :, None, None] + bias[:, None, None, None]
    grey = lit.mean(dim=1, keepdim=True)
    return grey + (lit - grey) * on_device(plan.saturation, crops)[:, None, None, None]


def blur(crops: Tensor, plan: Plan) -> Tensor:
    """A Gaussian of three taps along both axes, in the rows that are to be blurred."""
    rows = np.flatnonzero(plan.blur_px > 0)
    if not len(rows):
        return crops
    which = torch.from_numpy(rows).to(crops.device)
    beside = np.exp(-0.5 / plan.blur_px[rows] ** 2)
    tap = on_device(beside / (1 + 2 * beside), crops)[:, None, None, None]
    chosen = functional.pad(crops[which], (1, 1, 1, 1), mode="replicate")
    chosen = (1 - 2 * tap) * chosen[..., 1:-1] + tap * (chosen[..., :-2] + chosen[..., 2:])
    chosen = (1 - 2 * tap) * chosen[:, :, 1:-1] + tap * (chosen[:, :, :-2] + chosen[:, :, 2:])
    return crops.index_copy(0, which, chosen)


def noise(crops: Tensor, plan: Plan) -> Tensor:
    """Normal noise of each row's strength.

    On the CPU every row has a generator of its own, so that it is the same in any batch; on a
    device the batch shares one.
    """
    strength = on_device(plan.noise, crops)[:, None, None, None]
    generator = torch.Generator(device=crops.device)
    if crops.device.type != "cpu":
        generator.manual_seed(int(plan.noise_seeds[0]))
        drawn = torch.empty_like(crops).normal_(generator=generator)
        return drawn * strength
    drawn = torch.zeros_like(crops)
    for row in np.flatnonzero(plan.noise > 0):
        generator.manual_seed(int(plan.noise_seeds[row]))
        drawn[row] = torch.randn(crops.shape[1:], generator=generator)
    return drawn * strength


def cover(crops: Tensor, plan: Plan) -> Tensor:
    """A rectangle of one colour where one is planned."""
    height, width = crops.shape[2:]
    x = torch.arange(width, device=crops.device, dtype=crops.dtype)
    y = torch.arange(height, device=crops.device, dtype=crops.dtype)
    left, top, right, bottom = on_device(plan.hole_xyxy, crops)[:, :, None].unbind(dim=1)
    hidden_x, hidden_y = (x >= left) & (x < right), (y >= top) & (y < bottom)
    hidden = (hidden_y[:, :, None] & hidden_x[:, None, :])[:, None]
    return torch.where(hidden, on_device(plan.hole_rgb, crops)[:, :, None, None], crops)
