"""Pose weights as safetensors: load, save, hash, and strictly into a network."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.weights.arrays import require_stated
from livepose.weights.card import (
    Card,
    broken,
    read_card,
    require_file,
    to_metadata,
)
from livepose.weights.identity import identify

COUNTER = "num_batches_tracked"


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


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_network(path: str | Path) -> tuple[nn.Module, Card]:
    """The network of a pose weights file, in evaluation mode and float32, and its card.

    Raises
    ------
    WeightsError
        If the file is missing or broken, or its tensors are not those that its card promises.
    """
    state, card = load_checkpoint(path)
    require_tensors_stated(state, card.sha256, Path(path))
    network = build_network(card.network, card.keypoints)
    check_state(state, network, f"{card.network} with {card.keypoints} keypoints", Path(path).name)
    network.load_state_dict(_complete(network, state), strict=True, assign=True)
    return network.eval(), card


def require_tensors_stated(state: Mapping[str, Tensor], sha256: str, path: Path) -> None:
    """``arrays.require_stated`` for tensors as they are stored."""
    if torch.bfloat16 not in {tensor.dtype for tensor in state.values()}:  # NumPy has none
        require_stated({name: tensor.numpy() for name, tensor in state.items()}, sha256, path)


def _complete(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
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
    missing = [name for name in wanted if name not in got and not name.endswith(COUNTER)]
    extra = [name for name in got if name not in wanted]
    if missing or extra:
        parts = [_count(missing, "missing"), _count(extra, "unexpected")]
        return ", ".join(part for part in parts if part)
    for name, tensor in wanted.items():
        if name in got and tensor.shape != got[name].shape:
            return f"{name} should be {tuple(tensor.shape)}, is {tuple(got[name].shape)}"
    return ""


def _count(names: list[str], kind: str) -> str:
    entries = "entry" if len(names) == 1 else "entries"
    return f"{len(names)} {kind} {entries} such as {names[0]}" if names else ""


def require(
    card: Card,
    what: str,
    *,
    network: str | None = None,
    input_hw: tuple[int, int] | None = None,
    keypoints: int | None = None,
) -> None:
    """Raises WeightsError if the card is not of what is wanted; None wants nothing."""
    is_what = f"{card.network} for {_size(card.input_hw)} with {card.keypoints} keypoints"
    if network is not None and network != card.network:
        raise WeightsError(f"{what} is {is_what}; network {network} was wanted")
    if input_hw is not None and tuple(input_hw) != card.input_hw:
        raise WeightsError(f"{what} is {is_what}; input size {_size(input_hw)} was wanted")
    if keypoints is not None and keypoints != card.keypoints:
        raise WeightsError(f"{what} is {is_what}; {keypoints} keypoints were wanted")


def _size(input_hw: tuple[int, int]) -> str:
    return f"{input_hw[0]}x{input_hw[1]}"
