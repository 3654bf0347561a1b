"""What a run keeps in its folder: the checkpoint and the log.

A checkpoint is one file of tensors and plain numbers with everything that a training needs to go
on as if it had never stopped, read back without unpickling objects.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from livepose.errors import DataError, WeightsError
from livepose.sinks.files import write_output
from livepose.sinks.sink import written
from livepose.weights.arrays import Arrays, load_arrays
from livepose.weights.checkpoint import check_state, completed
from livepose.weights.importing import unwrap
from livepose.weights.places import SUFFIX
from livepose.weights.torch_file import open_torch_file

CHECKPOINT, LOG, SETTINGS = "checkpoint.pt", "log.jsonl", "settings.json"
FORMAT = 3
MOST = 1e12
"""Of steps and seconds; no training has as many."""


def write_checkpoint(content: dict[str, Any], folder: Path) -> None:
    """Write the checkpoint of a run at once or not at all; SinkError keeps the one before."""
    target, draft = folder / CHECKPOINT, folder / f"{CHECKPOINT}.draft"
    try:
        with written(target), draft.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """The checkpoint of a run; WeightsError when it is missing, broken or of another format."""
    file = folder / CHECKPOINT
    content = open_torch_file(file)
    known = content if isinstance(content, dict) else {}
    numbers = [known.get(name) for name in ("format", "step", "elapsed_s")]
    counts = all(isinstance(one, int | float) and 0 <= one < MOST for one in numbers)
    if not {"train_step", "rng"} <= set(known) or not counts or known["format"] != FORMAT:
        raise WeightsError(f"{file}: expected a livepose training checkpoint of format {FORMAT}")
    return known


def load_weights(network: nn.Module, file: Path) -> None:
    """Start from a state dict, a checkpoint (its mean) or exported weights; WeightsError names the
    entries that do not fit.
    """
    state = read_state(file)
    check_state(state, network, "the network of these settings", str(file))
    network.load_state_dict(completed(network, state))


def read_state(file: Path) -> Arrays:
    """The state dict in such a file; WeightsError when it holds none."""
    if file.suffix == SUFFIX:
        return load_arrays(file)
    content = open_torch_file(file)
    if isinstance(content, dict) and "format" in content:
        train_step = content.get("train_step")
        content = train_step.get("ema") if isinstance(train_step, dict) else None
    return unwrap(content, file)


def append_log(folder: Path, entry: dict[str, Any]) -> None:
    """Add one line to the log."""
    path = folder / LOG
    with written(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def cut_log(folder: Path, last_step: int) -> None:
    """Leave out what is of a lost future."""
    kept = [entry for entry in read_log(folder) if entry.get("step", 0) <= last_step]
    write_output(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in kept))


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


def plot_run(folder: Path) -> Path:
    """Draw the log of a run as ``log.png`` beside it; DataError when it has no step yet."""
    from livepose.evaluation.report import figure_with, save

    entries = read_log(folder)
    steps = [entry for entry in entries if "loss" in entry]
    if not steps:
        raise DataError(f"{folder}: the log has no step yet, there is nothing to plot")
    figure, panels = figure_with(3, share_y=False)
    for panel, name in zip(panels, ("loss", "rate"), strict=False):
        panel.plot([one["step"] for one in steps], [one.get(name) for one in steps])
        panel.set(title=name, xlabel="step")
    for entry in entries:
        for name, value in entry.get("validation", {}).items():
            panels[2].plot(entry["step"], value, "o", label=name)
    if panels[2].has_data():
        panels[2].legend()
    save(figure, folder / "log.png")
    return folder / "log.png"
