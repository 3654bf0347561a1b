"""Pose weights as safetensors: load, save, and strictly into a network that is told from them."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.weights.arrays import require_stated, tensors_sha256
from livepose.weights.card import Card, broken, read_card, require_file, to_metadata

COUNTER = "num_batches_tracked"
WIDTHS = {32: "hrnet_w32", 48: "hrnet_w48"}
THIRD_LAYER_BLOCKS = {6: "resnet50", 23: "resnet101", 36: "resnet152"}


def load_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, as they are stored.

    Raises
    ------
    WeightsError
        If the file is missing, cut short or something else.
    """
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise broken(path, error) from None


def load_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], Card]:
    """Tensors, as they are stored, and the card of a pose weights file.

    Raises
    ------
    WeightsError
        If the file is missing or broken, or carries no card.
    """
    card = read_card(Path(path))
    return load_tensors(Path(path)), card


def save_checkpoint(
    path: str | Path,
    state: Mapping[str, Tensor],
    card: Card,
    dtype: torch.dtype = torch.float16,
) -> Card:
    """Writes weights and their card; the file appears whole or not at all.

    Floating tensors are stored as ``dtype``, except those that would overflow in it. Returns the
    card with the hash of the stored tensors.

    Raises
    ------
    WeightsError
        If the file cannot be written.
    """
    stored = {name: _stored(tensor, dtype) for name, tensor in state.items()}
    card = replace(card, sha256=tensors_sha256(stored))
    target = Path(path)
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        save_file(stored, part, metadata=to_metadata(card))
        Path(part).chmod(0o644)
        Path(part).replace(target)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write the weights to {target}: {error}") from None
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)
    return card


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        cast = tensor.to(dtype)
        if bool(cast.isfinite().all()) or not bool(tensor.isfinite().all()):
            tensor = cast
    # A copy of its own: safetensors refuses tensors that share memory.
    return tensor.clone(memory_format=torch.contiguous_format)


def load_network(path: str | Path) -> tuple[nn.Module, Card]:
    """The network of a pose weights file, in evaluation mode and float32, and its card.

    Raises
    ------
    WeightsError
        If the file is missing or broken, or its tensors are not those that its card promises.
    """
    state, card = load_checkpoint(path)
    require_stated(state, card.sha256, Path(path))
    network = build_network(card.network, card.keypoints)
    check_state(state, network, f"{card.network} with {card.keypoints} keypoints", Path(path).name)
    network.load_state_dict(completed(network, state), strict=True, assign=True)
    return network.eval(), card


def completed(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state in the network's own types, with counters of zero where it has none."""
    zero = torch.zeros((), dtype=torch.int64)
    wanted = network.state_dict()
    return {name: state.get(name, zero).to(tensor.dtype) for name, tensor in wanted.items()}


def check_state(state: Mapping[str, Tensor], network: nn.Module, wanted: str, what: str) -> None:
    """Makes sure that names and shapes are exactly those of a network.

    Only the counters of batch normalisation may be missing, as they are in old files.

    Raises
    ------
    WeightsError
        If anything else differs; the sentence says what the file is and what was wanted.
    """
    if problem := _difference(network.state_dict(), state):
        raise WeightsError(f"{what} is {identify(state).what}; {wanted} was wanted ({problem})")


def _difference(wanted: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> str:
    """What is missing, superfluous or of another shape, in a few words; empty if nothing."""
    kinds = {
        "missing": [one for one in wanted if one not in got and not one.endswith(COUNTER)],
        "unexpected": [one for one in got if one not in wanted],
    }
    if any(kinds.values()):
        return ", ".join(
            f"{len(names)} {kind} {'entry' if len(names) == 1 else 'entries'} such as {names[0]}"
            for kind, names in kinds.items()
            if names
        )
    for name, tensor in wanted.items():
        if name in got and tensor.shape != got[name].shape:
            return f"{name} should be {tuple(tensor.shape)}, is {tuple(got[name].shape)}"
    return ""


@dataclass(frozen=True)
class Identity:
    """``network`` is a name that livepose can build, or None; ``what`` says it in words."""

    network: str | None
    keypoints: int | None
    what: str


def identify(state: Mapping[str, Tensor]) -> Identity:
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


def _keypoints(state: Mapping[str, Tensor]) -> int | None:
    final = state.get("final_layer.weight")
    return final.shape[0] if final is not None and len(final.shape) == 4 else None


def _resnet(state: Mapping[str, Tensor]) -> str | None:
    blocks = {name.split(".")[1] for name in state if name.startswith("layer3.")}
    bottlenecks = "layer1.0.conv3.weight" in state
    return THIRD_LAYER_BLOCKS.get(len(blocks)) if bottlenecks else None


def _identity(network: str | None, words: str, keypoints: int | None) -> Identity:
    name = network or words
    if keypoints is None:
        return Identity(None, None, f"{name} without a heatmap layer, as trained on ImageNet")
    return Identity(network, keypoints, f"{name} with {keypoints} keypoints")
