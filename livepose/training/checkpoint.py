"""Checkpoints: everything that a training needs to go on as if it had never stopped.

One file of tensors and plain numbers, written beside its final name and moved there, so that
an interruption leaves the one before; read back without unpickling objects.
"""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from livepose.errors import DataError, WeightsError

NAME = "checkpoint.pt"
FORMAT = 1


def write_checkpoint(content: dict[str, Any], folder: Path) -> Path:
    """Write ``folder/checkpoint.pt`` at once or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    target, draft = folder / NAME, folder / f"{NAME}.draft"
    try:
        torch.save({"format": FORMAT, **content}, draft)
        draft.replace(target)
    except OSError as error:
        raise DataError(f"{target}: the checkpoint cannot be written: {error}") from error
    return target


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises
    ------
    DataError
        When it is missing, broken or of another format.
    """
    file = folder / NAME
    content = _read(file, DataError)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{file}: expected a livepose training checkpoint of format {FORMAT}")
    return content


def _read(file: Path, kind: type[DataError] | type[WeightsError]) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise kind(f"{file}: expected a file of tensors, got: {first}") from error


def read_state(file: Path) -> dict[str, Tensor]:
    """A state dict to start from: a plain one, a checkpoint (its EMA) or exported weights.

    Raises
    ------
    WeightsError
        When the file holds none.
    """
    if file.suffix == ".safetensors":
        from livepose.weights import load_checkpoint

        return {name: value.float() for name, value in load_checkpoint(file)[0].items()}
    content = _read(file, WeightsError)
    if isinstance(content, dict) and "format" in content:
        content = content.get("learner", {}).get("ema")
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(f"{file}: expected a state dict of tensors")
    return content


def load_state(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load a state dict strictly.

    Raises
    ------
    WeightsError
        Naming the entries that do not fit.
    """
    own = network.state_dict()
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    extra = [name for name in state if name not in own]
    if wrong or extra:
        raise WeightsError(
            f"{file}: {len(wrong)} entries are missing or of another shape and {len(extra)} are "
            f"unknown to this network, such as {(wrong + extra)[0]}"
        )
    network.load_state_dict(state)
