"""Which network a state dict belongs to, told from names and shapes alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

WIDTHS = {32: "hrnet_w32", 48: "hrnet_w48"}
THIRD_LAYER_BLOCKS = {6: "resnet50", 23: "resnet101", 36: "resnet152"}


class Shaped(Protocol):
    """Anything with a shape."""

    @property
    def shape(self) -> "tuple[int, ...]":
        """Lengths of the axes."""


@dataclass(frozen=True)
class Identity:
    """``network`` is a name that livepose can build, or None; ``what`` says it in words."""

    network: str | None
    keypoints: int | None
    what: str


def identify(state: Mapping[str, Shaped]) -> Identity:
    """Network and keypoint count of official names and shapes.

    >>> identify({}).what
    'not a pose network that livepose knows'
    """
    keypoints = _keypoints(state)
    if "stage4.0.branches.0.0.conv1.weight" in state:
        width = state["stage4.0.branches.0.0.conv1.weight"].shape[0]
        return _identity(WIDTHS.get(width), f"HRNet of width {width}", keypoints)
    if "layer4.0.conv1.weight" in state:
        return _identity(_resnet(state), _resnet(state) or "a ResNet of another depth", keypoints)
    return Identity(None, None, "not a pose network that livepose knows")


def _keypoints(state: Mapping[str, Shaped]) -> int | None:
    final = state.get("final_layer.weight")
    return final.shape[0] if final is not None and len(final.shape) == 4 else None


def _resnet(state: Mapping[str, Shaped]) -> str | None:
    blocks = {name.split(".")[1] for name in state if name.startswith("layer3.")}
    bottlenecks = "layer1.0.conv3.weight" in state
    return THIRD_LAYER_BLOCKS.get(len(blocks)) if bottlenecks else None


def _identity(network: str | None, words: str, keypoints: int | None) -> Identity:
    name = network or words
    if keypoints is None:
        return Identity(None, None, f"{name} without a heatmap layer, as trained on ImageNet")
    return Identity(network, keypoints, f"{name} with {keypoints} keypoints")
