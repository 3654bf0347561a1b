"""livepose's own weights as an estimator for measuring, at another input size if wanted."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.runtimes import open_runtime
from livepose.weights import find_weights, load_checkpoint, read_card, save_checkpoint

STRIDE_OF_COARSEST = 32


def open_estimator(
    weights: str | Path,
    input_hw: tuple[int, int] | None = None,
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "auto",
) -> PoseEstimator:
    """Opens weights exactly as the live pipeline does.

    ``input_hw`` runs them at a size that they were not trained for: the card is changed in a copy
    that is opened in the same way and thrown away; what lies beside the weights for a precision
    (``NAME.*.json``) goes with it.

    Raises
    ------
    UsageError
        When the size does not fit the network's coarsest branch, or cannot be changed.
    """
    options: dict[str, Any] = {
        "runtime": runtime,
        "device": device,
        "precision": precision,
    }
    path = find_weights(str(weights))
    if input_hw is None or input_hw == read_card(path).input_hw:
        return PoseEstimator(open_runtime(path, **options))
    _check_size(input_hw, path)
    state, card = load_checkpoint(path)
    with tempfile.TemporaryDirectory(prefix="livepose-eval-") as folder:
        copy = Path(folder) / path.name
        save_checkpoint(copy, state, replace(card, input_hw=input_hw), stored_as(state))
        for beside in path.parent.glob(f"{path.stem}.*.json"):
            shutil.copy(beside, copy.parent)
        return PoseEstimator(open_runtime(copy, **options))


def stored_as(state: Mapping[str, torch.Tensor]) -> torch.dtype:
    """The widest kind of number among the weights, so that the copy loses nothing."""
    kinds = [one.dtype for one in state.values() if one.is_floating_point()]
    return max(kinds, key=lambda kind: kind.itemsize, default=torch.float32)


def _check_size(input_hw: tuple[int, int], path: Path) -> None:
    if path.suffix != ".safetensors":
        raise UsageError(f"--input: {path.name} is an export of one size; leave it out")
    if any(side < 1 or side % STRIDE_OF_COARSEST for side in input_hw):
        raise UsageError(
            f"--input: expected HEIGHTxWIDTH in steps of {STRIDE_OF_COARSEST} such as 128x96,"
            f" got {'x'.join(map(str, input_hw))}"
        )
