"""What an evaluation says: rows with their intervals, as a table, as Markdown and as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from livepose.errors import SinkError
from livepose.evaluation.bootstrap import (
    INTERVALS_BELOW_PEOPLE,
    Interval,
    Samples,
    paired_interval,
    percentile_interval,
)
from livepose.evaluation.cost import Cost
from livepose.evaluation.settings import EvaluationSettings
from livepose.evaluation.speed import Speed
from livepose.machine import PACKAGES, known_version, processor_name, usable_cores

Results = list[dict[str, Any]]

BACKBONES = {
    "hrnet_w32": "HRNet-W32",
    "hrnet_w48": "HRNet-W48",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
}
"""livepose's networks by the names that the published tables use."""
COCO_COLUMNS = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "apm": "APM", "apl": "APL", "ar": "AR",
}  # fmt: skip
WORDS = ("Method", "Backbone", "Input", "Boxes")
"""Columns of words; those of numbers stand to the right."""
FILE_WIDTH = 240
"""Characters of a line that goes to a file, not to a screen."""


@dataclass(frozen=True)
class Difference:
    """``first`` minus ``second`` in one column, on the same pictures."""

    first: str
    second: str
    column: str
    points: float
    interval: Interval

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        own = {"points": number(self.points), "interval_95": self.interval.as_list()}
        return {"first": self.first, "second": self.second, "column": self.column} | own

    def __str__(self) -> str:
        verdict = "" if self.interval.excludes_zero else " (not told apart)"
        return (
            f"{self.first} - {self.second}: {self.points:+.1f} {self.column.upper()}"
            f" {self.interval}{verdict}"
        )


@dataclass(frozen=True)
class Row:
    """A measured configuration. ``figures`` are percent by column, NaN where not measured;
    ``boxes`` says whose boxes were estimated; ``runtime`` is name, device and precision of what ran
    the network; ``minus_first`` how far it is from the first row of the same network and boxes.
    """

    method: str
    backbone: str
    input_hw: tuple[int, int] | None
    boxes: str
    figures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    cost: Cost | None = None
    speed: Speed | None = None
    runtime: str = ""
    minus_first: Difference | None = None

    @property
    def network(self) -> tuple[str, str, str]:
        """What rows of one network share."""
        return self.method.split(",")[0], self.input_size, self.boxes

    @property
    def input_size(self) -> str:
        """Height x width, as the published tables print it."""
        return "" if self.input_hw is None else f"{self.input_hw[0]}x{self.input_hw[1]}"

    @property
    def title(self) -> str:
        """Method, input size and boxes: no two rows of a table share all."""
        return f"{self.method} {self.input_size}".strip() + f", {self.boxes} boxes"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; NaN is null."""
        return {
            "method": self.method,
            "backbone": self.backbone,
            "input_size_hw": self.input_size,
            "boxes": self.boxes,
            "runtime": self.runtime,
            "params_m": number(self.cost.params_m if self.cost else None),
            "gflops": number(self.cost.gflops if self.cost else None),
            **{name: number(value) for name, value in self.figures.items()},
            "intervals_95": {name: one.as_list() for name, one in self.intervals.items()},
            "crops_per_s": number(self.speed.crops_per_s if self.speed else None, 1),
            "end_to_end_ms": number(self.speed.end_to_end_ms if self.speed else None),
        }


@dataclass(frozen=True)
class Scored:
    """A row with its figures, and each of its columns for every resample of pictures."""

    row: Row
    samples: Samples


@dataclass(frozen=True)
class Measured:
    """Rows, the differences that matter with their paired intervals, and every result file."""

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    results: Mapping[str, Results]
    pictures: int
    people: int


def scored(row: Row, figures: Mapping[str, float], samples: Samples, people: int) -> Scored:
    """The row with figures, and with their intervals where they come from few people."""
    shown = samples if people < INTERVALS_BELOW_PEOPLE else {}
    intervals = {name: percentile_interval(values) for name, values in shown.items()}
    return Scored(replace(row, figures=figures, intervals=intervals), samples)


def difference(first: Scored, second: Scored, column: str) -> Difference:
    """How much better the first row is in that column, with its paired interval."""
    points = first.row.figures[column] - second.row.figures[column]
    interval = paired_interval(first.samples[column], second.samples[column])
    return Difference(first.row.title, second.row.title, column, points, interval)


def compared(rows: Sequence[Scored], column: str) -> tuple[tuple[Row, ...], tuple[Difference, ...]]:
    """Every row told how far it is from the first of its network, and each network from the
    first.
    """
    firsts = {one.row.network: one for one in reversed(rows)}
    within = [
        one.row
        if one is firsts[one.row.network]
        else replace(one.row, minus_first=difference(one, firsts[one.row.network], column))
        for one in rows
    ]
    across = [
        difference(one, rows[0], column) for one in rows[1:] if one is firsts[one.row.network]
    ]
    own = [row.minus_first for row in within if row.minus_first is not None]
    return tuple(within), (*own, *across)


def number(value: float | None, digits: int = 2) -> float | None:
    """Rounded, or None for what is not known."""
    return None if value is None or value != value else round(float(value), digits)


def document(measured: Measured, choice: EvaluationSettings, data_set: str) -> dict[str, Any]:
    """Everything that is needed to read the figures again later."""
    return {
        "set": data_set,
        "pictures": measured.pictures,
        "people": measured.people,
        "settings": asdict(choice),
        "machine": {
            "processor": f"{processor_name()}, {usable_cores()} cores",
            "versions": {name: known_version(name) for name in PACKAGES},
        },
        "rows": [row.as_dict() for row in measured.rows],
        "differences": [one.as_dict() for one in measured.differences],
    }


def as_json(content: Any) -> str:
    """Readable JSON; paths are text."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def filled(rows: Sequence[Row], columns: Mapping[str, str], between: str = " ") -> dict[str, Any]:
    """Cells by heading, those of the paper first; no column that nobody fills."""
    layout: dict[str, Callable[[Row], str]] = {
        "Method": lambda row: row.method,
        "Backbone": lambda row: row.backbone,
        "Input": lambda row: row.input_size,
        "Boxes": lambda row: row.boxes,
        "Params M": lambda row: text(row.cost.params_m if row.cost else None),
        "GFLOPs": lambda row: text(row.cost.gflops if row.cost else None),
        **{title: partial(_figure, name=name, between=between) for name, title in columns.items()},
        "minus first": partial(_minus_first, between=between),
        "Crops/s": lambda row: text(row.speed.crops_per_s if row.speed else None, 0),
        "ms": lambda row: text(row.speed.end_to_end_ms if row.speed else None),
    }
    whole = {heading: [cell(row) for row in rows] for heading, cell in layout.items()}
    return {heading: cells for heading, cells in whole.items() if any(cells)}


def _figure(row: Row, name: str, between: str) -> str:
    value, interval = text(row.figures.get(name)), row.intervals.get(name)
    return f"{value}{between}{interval}" if value and interval is not None else value


def _minus_first(row: Row, between: str) -> str:
    apart = row.minus_first
    return "" if apart is None else f"{apart.points:+.1f}{between}{apart.interval}"


def text(value: float | None, digits: int = 1) -> str:
    """A number for reading; empty where there is none."""
    return "" if value is None or value != value else f"{value:.{digits}f}"


def between_networks(measured: Measured) -> list[str]:
    """The differences that stand in no row."""
    within = [row.minus_first for row in measured.rows]
    return [str(one) for one in measured.differences if one not in within]


def show(
    measured: Measured, columns: Mapping[str, str], title: str, to_stderr: bool = False
) -> None:
    """Prints the table, and how far the networks are from each other."""
    console = wide_console(to_stderr)
    table = Table(title=title)
    shown = filled(measured.rows, columns, between="\n")
    for heading in shown:
        table.add_column(heading, justify="left" if heading in WORDS else "right")
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    console.print(table)
    for sentence in between_networks(measured):
        console.print(sentence, markup=False)


def wide_console(to_stderr: bool = False) -> Console:
    """Wide enough for the table where the output is a file."""
    console = Console(stderr=to_stderr, highlight=False)
    if console.is_terminal:
        return console
    return Console(stderr=to_stderr, width=FILE_WIDTH, highlight=False)


def markdown(measured: Measured, columns: Mapping[str, str]) -> str:
    """The same for a document."""
    shown = filled(measured.rows, columns)
    lines = [list(shown), ["---" if one in WORDS else "---:" for one in shown]]
    lines += [list(cells) for cells in zip(*shown.values(), strict=True)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
    sentences = between_networks(measured)
    return "\n".join([table, *(f"- {one}" for one in sentences), ""]) if sentences else table


def write_text(path: str, content: str) -> None:
    """Writes a result; ``-`` is stdout."""
    if path == "-":
        print(content)
        return
    try:
        Path(path).write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def require_writable(paths: Sequence[str | Path | None]) -> None:
    """SinkError where a result could not be written, before hours are spent on it."""
    for path in paths:
        if path is None or str(path) == "-":
            continue
        folder = Path(path).parent
        if not folder.is_dir():
            raise SinkError(f"{path} cannot be written: there is no folder {folder}; make it first")
        if Path(path).is_dir():
            raise SinkError(f"{path} cannot be written: it is a folder; name a file in it")
