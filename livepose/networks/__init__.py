"""Pose networks: plain ``nn.Module``s that know nothing of files or images."""

from torch import nn

from livepose.errors import WeightsError
from livepose.networks.complexity import published_gflops
from livepose.networks.hrnet import HRNet
from livepose.networks.simple_baseline import SimpleBaseline

__all__ = ["NETWORKS", "build_network", "published_gflops"]

HRNET_WIDTHS = {"hrnet_w32": 32, "hrnet_w48": 48}
RESNET_BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
NETWORKS = (*HRNET_WIDTHS, *RESNET_BLOCKS)


def build_network(name: str, keypoints: int) -> nn.Module:
    """A network with so many keypoints, freshly initialised; WeightsError if none has the name."""
    if name in HRNET_WIDTHS:
        return HRNet(HRNET_WIDTHS[name], keypoints)
    if name in RESNET_BLOCKS:
        return SimpleBaseline(RESNET_BLOCKS[name], keypoints)
    raise WeightsError(f"there is no network named {name!r}; there are {', '.join(NETWORKS)}")
