"""Checkpoints: everything that a training needs to go on as if it had never stopped.

One file of tensors and plain numbers, written beside its final name and moved there, so that
an interruption leaves the one before; read back without unpickling objects.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from livepose.errors import DataError, WeightsError
from livepose.weights.torch_file import open_torch_file, require_fits

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
    WeightsError
        When it is missing, broken or of another format.
    """
    file = folder / NAME
    content = open_torch_file(file)
    if not isinstance(content, dict) or content.get("format") != FORMAT or "step" not in content:
        raise WeightsError(f"{file}: expected a livepose training checkpoint of format {FORMAT}")
    return content


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
    content = open_torch_file(file)
    if isinstance(content, dict) and "format" in content:
        learner = content.get("learner")
        content = learner.get("ema") if isinstance(learner, dict) else None
    if (
        not isinstance(content, dict)
        or not content
        or not all(isinstance(v, Tensor) for v in content.values())
    ):
        raise WeightsError(f"{file}: expected a state dict of tensors")
    require_fits(content.values(), file)
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
