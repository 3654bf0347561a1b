"""The log of a run: one JSON object a line, what the person before the screen sees, and a plot."""

import json
import logging
import math
import sys
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from livepose.errors import DataError, LiveposeError

NAME = "log.jsonl"
REMEMBERED, NEEDED, FACTOR = 200, 50, 4.0
ADVICE = (
    "the last good checkpoint is kept: start again from it with a lower --lr (--init "
    "runs/NAME/checkpoint.pt)"
)
logger = logging.getLogger(__name__)


class RunLog:
    """Appends to ``log.jsonl``; entries after ``keep_until_step`` are of a lost future."""

    def __init__(self, folder: Path, keep_until_step: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        kept = [entry for entry in read_log(folder) if entry.get("step", 0) <= keep_until_step]
        text = "".join(json.dumps(entry) + "\n" for entry in kept)
        self.path.write_text(text, encoding="utf-8")

    def write(self, entry: dict[str, Any]) -> None:
        """Add one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All entries; a last line that was cut off by an interruption is left out."""
    path = folder / NAME
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


class ProgressLine:
    """A bar with time left on a terminal, plain lines elsewhere; all on stderr."""

    def __init__(self, unit: str) -> None:
        self._unit, self._bar = unit, None
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            console = Console(stderr=True)
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()

    def show(self, entry: dict[str, Any]) -> None:
        """Say where the training is."""
        text = (
            f"step {entry['step']}, {entry['samples']} {self._unit}, loss {entry['loss']:.4f}, "
            f"{entry['samples_per_s']:.1f} {self._unit}/s, data {100 * entry['data_share']:.0f} %, "
            f"{100 * entry['progress']:.1f} %, {timedelta(seconds=entry['left_s'])} left"
        )
        if self._bar is None:
            logger.info(text)
        else:
            self._bar.update(self._task, completed=entry["progress"], description=text)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()


class DivergenceWatch:
    """Remembers recent losses; a loss that is no number, or far above them, is an error.

    With several input sizes each has losses of its own: ``kind`` tells them apart.
    """

    def __init__(self, ignore_until_step: int) -> None:
        self._ignore_until = ignore_until_step
        self.recent: dict[str, list[float]] = {}
        """The last losses of each kind; a checkpoint keeps them."""

    def check(self, step: int, loss: float, kind: str = "") -> None:
        """Take in one loss. LiveposeError when the training diverges, with what to do about it."""
        if not math.isfinite(loss):
            raise LiveposeError(f"the loss became {loss} at step {step}; {ADVICE}")
        recent = self.recent.setdefault(kind, [])
        usual = median(recent) if len(recent) >= NEEDED else math.inf
        if step > self._ignore_until and loss > FACTOR * usual:
            raise LiveposeError(
                f"the loss rose to {loss:.3g} at step {step}, over {FACTOR:g} times its median "
                f"{usual:.3g}; {ADVICE}"
            )
        recent.append(loss)
        del recent[:-REMEMBERED]


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
    for panel, names in zip(panels, (("loss",), ("rate", "hardness")), strict=False):
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
