"""Checkpoints: everything that a training needs to go on as if it had never stopped.

One file of tensors and plain numbers, written beside its final name and moved there, so that
an interruption leaves the one before; read back without unpickling objects.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from livepose.errors import DataError, WeightsError
from livepose.weights.arrays import load_arrays
from livepose.weights.checkpoint import check_state, completed
from livepose.weights.importing import unwrap
from livepose.weights.places import SUFFIX
from livepose.weights.torch_file import open_torch_file, require_fits

NAME = "checkpoint.pt"
FORMAT = 2
MOST = 1e12
"""Of steps and seconds; no training has as many."""


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
    """The checkpoint of a run; WeightsError when it is missing, broken or of another format."""
    file = folder / NAME
    content = open_torch_file(file)
    wanted = {"format", "learner", "step", "elapsed_s", "recent_losses", "last_phase", "rng"}
    known = content if isinstance(content, dict) else {}
    numbers = [known.get(name) for name in ("format", "step", "elapsed_s")]
    counts = all(isinstance(one, int | float) and 0 <= one < MOST for one in numbers)
    if not wanted <= set(known) or not counts or known["format"] != FORMAT:
        raise WeightsError(f"{file}: expected a livepose training checkpoint of format {FORMAT}")
    return known


def read_state(file: Path) -> dict[str, Tensor]:
    """A state dict to start from: a plain one, a checkpoint (its mean) or exported weights.

    WeightsError when the file holds none.
    """
    if file.suffix == SUFFIX:
        tensors = load_arrays(file, "pt").items()
        return {name: one.float() if one.is_floating_point() else one for name, one in tensors}
    content = open_torch_file(file)
    if isinstance(content, dict) and "format" in content:
        learner = content.get("learner")
        content = learner.get("ema") if isinstance(learner, dict) else None
    elif isinstance(content, dict) and isinstance(content.get("ema"), dict):
        content = content["ema"]
    state = unwrap(content, file)
    require_fits(state.values(), file)
    return state


def load_state(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load a state dict strictly; WeightsError names the entries that do not fit."""
    check_state(state, network, "the network of these settings", str(file))
    network.load_state_dict(completed(network, state))
