"""Pose networks: plain ``nn.Module``s that know nothing of files or pictures."""

from torch import nn

from livepose.networks.hrnet import HRNet

HRNET_WIDTHS = {"hrnet_w32": 32, "hrnet_w48": 48}


def build_network(name: str, keypoints: int) -> nn.Module:
    """A network of this name with this many keypoints, freshly initialised."""
    return HRNet(HRNET_WIDTHS[name], keypoints)
