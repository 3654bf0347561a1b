"""A picture of a run's log: loss, rate and curriculum, speed, and the dev sets."""

from pathlib import Path
from typing import Any

from livepose.errors import DataError, UsageError
from livepose.training.log import read_log


def plot_run(folder: Path, output: Path | None = None) -> Path:
    """Draw the log of the run in ``folder`` as PNG; returns its path.

    Raises
    ------
    DataError
        When there is nothing in the log.
    UsageError
        When matplotlib is missing.
    """
    entries = read_log(folder)
    steps = [entry for entry in entries if "loss" in entry]
    if not steps:
        raise DataError(f"{folder}: the log has no step yet, there is nothing to plot")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("a plot needs matplotlib: pip install 'livepose[eval]'") from error
    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    _lines(axes[0, 0], steps, {"loss": "loss"})
    axes[0, 0].set_yscale("log")
    _lines(axes[0, 1], steps, {"rate": "share of the learning rate", "hardness": "hardness"})
    _lines(axes[1, 0], steps, {"crops_per_s": "crops/s"})
    _validations(axes[1, 1], entries)
    target = output or folder / "log.png"
    figure.savefig(target, dpi=100)
    return target


def _lines(axis: Any, steps: list[dict[str, Any]], names: dict[str, str]) -> None:
    crops = [entry["crops"] for entry in steps]
    for name, label in names.items():
        axis.plot(crops, [entry[name] for entry in steps], label=label)
    axis.set_xlabel("crops")
    axis.legend()


def _validations(axis: Any, entries: list[dict[str, Any]]) -> None:
    found = [entry for entry in entries if "validation" in entry]
    for name in sorted({entry["set"] for entry in found}):
        here = [entry for entry in found if entry["set"] == name]
        for figure in ("pck", "oks"):
            values = [entry["validation"].get(figure) for entry in here]
            label = f"{figure} {'/'.join(Path(name).parts[-3:-1])}"
            axis.plot([entry["step"] for entry in here], values, marker="o", label=label)
    axis.set_xlabel("step")
    if found:
        axis.legend(fontsize="small")
