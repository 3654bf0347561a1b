"""A tiny pose network, and a CUDA runtime of it that runs on the CPU."""

import torch
from torch import nn

from livepose.runtimes.cuda import CudaRuntime
from livepose.weights import Card

CARD = Card("hrnet_w32", (64, 48), blur_kernel=5)


def toy_network() -> nn.Module:
    """Smooth random heatmaps, another one for each keypoint, a quarter of the crop's size."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 8, 9, stride=2, padding=4), nn.ReLU())
    network.append(nn.Conv2d(8, CARD.keypoints, 9, stride=2, padding=4))
    return network


def toy_runtime(sizes: tuple[int, ...] = (1, 2, 4)) -> CudaRuntime:
    """The whole CUDA runtime but for the graph."""
    return CudaRuntime(toy_network(), CARD, "cpu", "f32", sizes)
