"""Pose weights as safetensors: saved, and loaded strictly into the network their card names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.errors import WeightsError
from livepose.networks import HRNET_WIDTHS, RESNET_BLOCKS, build_network
from livepose.weights.arrays import Arrays, arrays_sha256, load_arrays, save_arrays
from livepose.weights.card import Card, read_card, to_metadata

_COUNTER = "num_batches_tracked"
_HRNETS = {width: name for name, width in HRNET_WIDTHS.items()}
_RESNETS = {blocks[2]: name for name, blocks in RESNET_BLOCKS.items()}


def save_checkpoint(path: str | Path, state: Mapping[str, Any], card: Card) -> Card:
    """Writes weights, NumPy's or torch's, and their card, as ``save_arrays`` does.

    Floating tensors are stored in half precision, except those that would overflow in it. Returns
    the card with the hash of the stored tensors. WeightsError if the file cannot be written.
    """
    stored = {name: _stored(torch.as_tensor(one).cpu().numpy()) for name, one in state.items()}
    card = replace(card, sha256=arrays_sha256(stored))
    save_arrays(Path(path), stored, to_metadata(card))
    return card


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of its own, in C's order."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            half = array.astype(np.float16, order="C")
        if np.isfinite(half).all() or not np.isfinite(array).all():
            return half
    return array.copy(order="C")


def load_network(path: str | Path) -> tuple[nn.Module, Card]:
    """The network of a pose weights file, in evaluation mode and float32, and its card.

    WeightsError if the file is missing or broken, or its tensors are not those of its card.
    """
    card, arrays = read_card(Path(path)), load_arrays(Path(path))
    with torch.device("meta"):  # names and shapes; numbers come from the file
        network = build_network(card.network, card.keypoints)
    check_state(arrays, network, f"{card.network} with {card.keypoints} keypoints", Path(path).name)
    network.load_state_dict(completed(network, arrays), strict=True, assign=True)
    return network.eval(), card


def completed(network: nn.Module, arrays: Arrays) -> dict[str, Tensor]:
    """The state in the network's own types, with counters of zero where it has none."""
    zero = np.zeros((), np.int64)
    wanted = network.state_dict()
    return {
        name: torch.as_tensor(arrays.get(name, zero)).to(tensor.dtype)
        for name, tensor in wanted.items()
    }


def check_state(state: Mapping[str, Any], network: nn.Module, wanted: str, what: str) -> None:
    """Makes sure that names and shapes are exactly those of a network.

    Only the counters of batch normalisation may be missing, as they are in old files. WeightsError
    if anything else differs; the sentence says what the file is and what was wanted.
    """
    own = network.state_dict()
    problems = [f"{name} is missing" for name in own if not (name in state or _COUNTER in name)]
    problems += [f"{name} is unexpected" for name in state if name not in own]
    problems += [
        f"{name} should be {tuple(tensor.shape)}, is {tuple(state[name].shape)}"
        for name, tensor in own.items()
        if name in state and tensor.shape != state[name].shape
    ]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise WeightsError(
            f"{what} is {identify(state)[2]}; {wanted} was wanted ({problems[0]}{more})"
        )


def identify(state: Mapping[str, Any]) -> tuple[str | None, int | None, str]:
    """Network that livepose can build and keypoint count, by names and shapes; and in words."""
    if "stage4.0.branches.0.0.conv1.weight" in state:
        width = state["stage4.0.branches.0.0.conv1.weight"].shape[0]
        network, words = _HRNETS.get(width), f"HRNet of width {width}"
    elif "layer4.0.conv1.weight" in state:
        blocks = {name.split(".")[1] for name in state if name.startswith("layer3.")}
        bottlenecks = "layer1.0.conv3.weight" in state
        network = _RESNETS.get(len(blocks)) if bottlenecks else None
        words = "a ResNet of another depth"
    else:
        return None, None, "not a pose network that livepose knows"
    name, final = network or words, state.get("final_layer.weight")
    if final is None or final.ndim != 4:
        return None, None, f"{name} without a heatmap layer, as trained on ImageNet"
    return network, final.shape[0], f"{name} with {final.shape[0]} keypoints"
