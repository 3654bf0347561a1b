"""The log of a run: one JSON object a line, and what the person before the screen sees."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

NAME = "log.jsonl"


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
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return entries


def clock(seconds: float) -> str:
    """Seconds as ``1:02:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class ProgressLine:
    """A bar with time left on a terminal, plain lines elsewhere; all on stderr.

    The bar needs the package rich, which a bare training machine may not have.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar = None if quiet or not sys.stderr.isatty() else _open_bar()

    def show(self, entry: dict[str, Any]) -> None:
        """Say where the training is."""
        if self._quiet:
            return
        text = (
            f"step {entry['step']}, {entry['crops']} crops, loss {entry['loss']:.4f}, "
            f"{entry['crops_per_s']:.1f} crops/s, data {100 * entry['data_share']:.0f} %, "
            f"{100 * entry['progress']:.1f} %, {clock(entry['left_s'])} left"
        )
        if self._bar is None:
            logger.info(text)
        else:
            self._bar.update(self._bar.task_ids[0], completed=entry["progress"], description=text)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()


def _open_bar() -> Any:
    """A started bar of rich, None where rich is missing."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:
        return None
    bar = Progress(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True))
    bar.add_task("", total=1.0)
    bar.start()
    return bar
