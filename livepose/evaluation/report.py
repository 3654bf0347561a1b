"""What an evaluation says: rows with their intervals, as table, Markdown, JSON and plot."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from livepose.errors import SinkError, UsageError
from livepose.evaluation import EvaluationSettings
from livepose.evaluation.metrics import Interval, percentile_interval
from livepose.machine import PACKAGES, known_version, processor_and_cores
from livepose.sinks.files import write_output
from livepose.sinks.sink import check_file

Results = list[dict[str, Any]]
Samples = NDArray[np.float64]

BACKBONES = {"hrnet_w32": "HRNet-W32", "hrnet_w48": "HRNet-W48"} | {
    f"resnet{depth}": f"ResNet-{depth}" for depth in (50, 101, 152)
}
"""livepose's networks by the names that the published tables use."""
COST_COLUMNS = {"params_m": "Params M", "gflops": "GFLOPs"}
SPEED_COLUMNS = {"crops_per_s": "Crops/s", "end_to_end_ms": "ms"}
COCO_COLUMNS = {name: name.upper() for name in ("ap", "ap50", "ap75", "apm", "apl", "ar")}
WORDS = ("Method", "Backbone", "Input", "Boxes")
"""Columns of words; those of numbers stand to the right."""
INTERVALS_BELOW_PEOPLE = 1000
"""Figures from fewer people than this are printed with their interval."""
FILE_WIDTH = 240
"""Characters of a line that goes to a file, not to a screen."""
PANEL_INCHES, DOTS_PER_INCH = (4.0, 3.4), 150


class Difference(NamedTuple):
    """``first`` minus ``second`` in one column, on the same images."""

    first: str
    second: str
    column: str
    points: float
    interval_95: Interval

    def __str__(self) -> str:
        low, high = self.interval_95
        verdict = "" if low > 0 or high < 0 else " (not told apart)"
        return (
            f"{self.first} - {self.second}: {self.points:+.1f} {self.column.upper()}"
            f" {self.interval_95}{verdict}"
        )


@dataclass(frozen=True)
class Row:
    """A measured configuration.

    ``boxes``: whose were estimated; ``runtime``: name, device and precision; ``samples``: each
    figure for every resample of the images; ``minus_first``: to the first row of its network.
    """

    method: str
    backbone: str
    input_hw: tuple[int, int]
    boxes: str
    runtime: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    samples: Mapping[str, Samples] = field(default_factory=dict)
    minus_first: Difference | None = None

    @property
    def input_size(self) -> str:
        """Height x width, as the published tables print it."""
        return "{}x{}".format(*self.input_hw)

    @property
    def title(self) -> str:
        """Method, input size and boxes: no two rows of a table share all."""
        return f"{self.method} {self.input_size}, {self.boxes} boxes"

    def scored(
        self, figures: Mapping[str, float], samples: Mapping[str, Samples], people: int
    ) -> "Row":
        """The same with these figures, and with intervals where they come from few people."""
        shown = samples if people < INTERVALS_BELOW_PEOPLE else {}
        intervals = {name: percentile_interval(values) for name, values in shown.items()}
        figures = {**self.figures, **figures}
        return replace(self, figures=figures, intervals=intervals, samples=samples)

    def minus(self, other: "Row", column: str) -> Difference:
        """How much better this row is in that column, with its paired interval."""
        points = self.figures[column] - other.figures[column]
        interval = percentile_interval(self.samples[column] - other.samples[column])
        return Difference(self.title, other.title, column, points, interval)

    def cells(self, columns: Mapping[str, str], between: str) -> dict[str, str]:
        """As text by heading; ``between`` stands between a figure and its interval."""

        def shown(columns: Mapping[str, str]) -> dict[str, str]:
            return {heading: self._figure(name, between) for name, heading in columns.items()}

        words = (self.method, self.backbone, self.input_size, self.boxes)
        cells = dict(zip(WORDS, words, strict=True)) | shown(COST_COLUMNS) | shown(columns)
        apart = self.minus_first
        cells["minus first"] = f"{apart.points:+.1f}{between}{apart.interval_95}" if apart else ""
        return cells | shown(SPEED_COLUMNS)

    def _figure(self, name: str, between: str) -> str:
        value, interval = self.figures.get(name, math.nan), self.intervals.get(name)
        shown = "" if math.isnan(value) else f"{value:.1f}"
        return f"{shown}{between}{interval}" if shown and interval else shown


@dataclass(frozen=True)
class Measured:
    """Rows, the differences between networks, and every result file by its row's title."""

    rows: tuple[Row, ...]
    across: tuple[Difference, ...]
    results: Mapping[str, Results]
    images: int
    people: int

    def table(self, columns: Mapping[str, str], between: str) -> dict[str, list[str]]:
        """Cells by heading; no column that nobody fills."""
        rows = [row.cells(columns, between) for row in self.rows]
        whole = {heading: [cells[heading] for cells in rows] for heading in rows[0]}
        return {heading: cells for heading, cells in whole.items() if any(cells)}


def compared(rows: Sequence[Row], column: str) -> tuple[tuple[Row, ...], tuple[Difference, ...]]:
    """Rows that say how far they are from the first of their network, and how far each network is
    from the first.
    """
    firsts: dict[tuple[str, ...], Row] = {}
    within, across = [], []
    for row in rows:
        network = row.method.split(",")[0], row.input_size, row.boxes
        first = firsts.setdefault(network, row)
        if row is not first:
            row = replace(row, minus_first=row.minus(first, column))
        elif row is not rows[0]:
            across.append(row.minus(rows[0], column))
        within.append(row)
    return tuple(within), tuple(across)


def document(measured: Measured, settings: EvaluationSettings, data_set: str) -> dict[str, Any]:
    """Everything that is needed to read the figures again later; they have two digits."""
    rows = [
        {
            "method": row.method,
            "backbone": row.backbone,
            "input_size_hw": row.input_size,
            "boxes": row.boxes,
            "runtime": row.runtime,
            **row.figures,
            "intervals_95": row.intervals,
        }
        for row in measured.rows
    ]
    within = [row.minus_first for row in measured.rows if row.minus_first is not None]
    return {
        "set": data_set,
        "images": measured.images,
        "people": measured.people,
        "settings": asdict(settings),
        "machine": {
            "processor": processor_and_cores(),
            "versions": {name: known_version(name) for name in PACKAGES},
        },
        "rows": _rounded(rows),
        "differences": _rounded([one._asdict() for one in (*within, *measured.across)]),
    }


def _rounded(value: Any) -> Any:
    """All numbers within with two digits; what is not known is null."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(float(value), 2)
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def as_json(content: Any) -> str:
    """Readable JSON; paths are text."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def show(
    measured: Measured, columns: Mapping[str, str], title: str, to_stderr: bool = False
) -> None:
    """Prints the table, and how far the networks are from each other."""
    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    table, shown = Table(title=title), measured.table(columns, between="\n")
    for heading in shown:
        table.add_column(heading, justify="left" if heading in WORDS else "right")
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    console.print(table)
    for difference in measured.across:
        console.print(str(difference), markup=False)


def markdown(measured: Measured, columns: Mapping[str, str]) -> str:
    """The same for a document."""
    shown = measured.table(columns, between=" ")
    words = sum(heading in WORDS for heading in shown)
    table = markdown_table(list(shown), zip(*shown.values(), strict=True), words) + "\n"
    sentences = "".join(f"\n- {one}" for one in measured.across)
    return f"{table}{sentences}\n" if sentences else table


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table of Markdown; all columns but the first ``words`` stand to the right."""
    rule = ["---"] * words + ["---:"] * (len(headings) - words)
    return "\n".join("| " + " | ".join(line) + " |" for line in [headings, rule, *rows])


def write_text(path: str, content: str) -> None:
    """Writes a result; ``-`` is stdout."""
    if path == "-":
        print(content)
    else:
        write_output(path, content + "\n")


def require_writable(paths: Iterable[str | Path | None]) -> None:
    """SinkError where a result could not be written, before hours are spent on it."""
    for path in paths:
        if path is not None and str(path) != "-":
            check_file(Path(path), overwrite=True)


def figure_with(panels: int, share_y: bool = True) -> tuple[Any, Sequence[Any]]:
    """A figure and its panels side by side; UsageError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("plots need matplotlib: pip install 'livepose[eval]'") from error
    wide, high = PANEL_INCHES
    figure = Figure(figsize=(wide * panels, high), layout="constrained")
    return figure, list(figure.subplots(1, panels, sharey=share_y, squeeze=False)[0])


def save(figure: Any, path: Path) -> None:
    """Writes the figure in the form that the ending of the name says."""
    try:
        figure.savefig(path, dpi=DOTS_PER_INCH)
    except (OSError, ValueError) as error:
        raise SinkError(f"{path} cannot be written as a plot: {error}") from error
