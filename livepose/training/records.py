"""What a run keeps in its folder: the checkpoint, the log, and a plot of it.

A checkpoint is one file of tensors and plain numbers with everything that a training needs to go
on as if it had never stopped. It is written beside its final name and moved there, so that an
interruption leaves the one before, and read back without unpickling objects.
"""

import json
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

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
FORMAT = 3
MOST = 1e12
"""Of steps and seconds; no training has as many."""


def write_checkpoint(content: dict[str, Any], folder: Path) -> None:
    """Write the checkpoint of a run at once or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    target, draft = folder / CHECKPOINT, folder / f"{CHECKPOINT}.draft"
    try:
        torch.save({"format": FORMAT, **content}, draft)
        draft.replace(target)
    except OSError as error:
        raise DataError(f"{target}: the checkpoint cannot be written: {error}") from error


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """The checkpoint of a run; WeightsError when it is missing, broken or of another format."""
    file = folder / CHECKPOINT
    content = open_torch_file(file)
    wanted = {"format", "train_step", "step", "elapsed_s", "recent_losses", "rng"}
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
        train_step = content.get("train_step")
        content = train_step.get("ema") if isinstance(train_step, dict) else None
    elif isinstance(content, dict) and isinstance(content.get("ema"), dict):
        content = content["ema"]
    state = unwrap(content, file)
    require_fits(state.values(), file)
    return state


def load_state(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Load a state dict strictly; WeightsError names the entries that do not fit."""
    check_state(state, network, "the network of these settings", str(file))
    network.load_state_dict(completed(network, state))


def append_log(folder: Path, entry: dict[str, Any]) -> None:
    """Add one line to the log."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def cut_log(folder: Path, last_step: int) -> None:
    """Leave out what is of a lost future."""
    kept = [entry for entry in read_log(folder) if entry.get("step", 0) <= last_step]
    text = "".join(json.dumps(entry) + "\n" for entry in kept)
    (folder / LOG).write_text(text, encoding="utf-8")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All entries; a last line that was cut off by an interruption is left out."""
    path = folder / LOG
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entries.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return [entry for entry in entries if isinstance(entry, dict)]


def plot_run(folder: Path, output: Path | None = None) -> Path:
    """Draw the log of the run in ``folder`` as PNG; returns its path.

    DataError when there is nothing in the log. UsageError when matplotlib is missing.
    """
    from livepose.evaluation.report import figure_with, save

    entries = read_log(folder)
    steps = [entry for entry in entries if "loss" in entry]
    if not steps:
        raise DataError(f"{folder}: the log has no step yet, there is nothing to plot")
    figure, panels = figure_with(3, share_y=False)
    samples = [entry["samples"] for entry in steps]
    for panel, names in zip(panels, (("loss",), ("rate", "curriculum")), strict=False):
        for name in names:
            panel.plot(samples, [entry.get(name) for entry in steps], label=name)
    panels[0].set_yscale("log")
    for entry in (one for one in entries if "validation" in one):
        for name, value in entry["validation"].items():
            panels[2].plot(entry["step"], value, "o", label=name)
    for panel, label in zip(panels, ("samples", "samples", "step"), strict=True):
        panel.set_xlabel(label)
        if panel.has_data():
            panel.legend(fontsize="small")
    target = output or folder / "log.png"
    save(figure, target)
    return target
