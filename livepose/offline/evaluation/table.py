"""Rows as a table on the screen, as Markdown, and as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from livepose.errors import SinkError
from livepose.offline.evaluation.rows import Row

COCO_COLUMNS = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "apm": "APM", "apl": "APL", "ar": "AR",
}  # fmt: skip


def headings(columns: Mapping[str, str], with_boxes: bool) -> list[str]:
    """Names of the columns, those of the paper first."""
    boxes = ["Boxes"] if with_boxes else []
    cost = ["Method", "Backbone", "Input", *boxes, "Params M", "GFLOPs"]
    return [*cost, *columns.values(), "Crops/s", "ms"]


def cells(row: Row, columns: Mapping[str, str], with_boxes: bool, between: str = " ") -> list[str]:
    """One row as text; empty where nothing was measured."""
    figures = [figure(row, name, between) for name in columns]
    cost = [
        text(row.cost.params_m if row.cost else None),
        text(row.cost.gflops if row.cost else None),
    ]
    speed = [
        text(row.speed.crops_per_s if row.speed else None, 0),
        text(row.speed.end_to_end_ms if row.speed else None, 1),
    ]
    boxes = [row.boxes] if with_boxes else []
    return [row.method, row.backbone, row.input_size, *boxes, *cost, *figures, *speed]


def figure(row: Row, name: str, between: str = " ") -> str:
    """A figure with its interval where one was drawn."""
    value = text(row.figures.get(name))
    interval = row.intervals.get(name)
    return f"{value}{between}{interval}" if value and interval is not None else value


def text(value: float | None, digits: int = 1) -> str:
    """A number for reading; empty where there is none."""
    return "" if value is None or value != value else f"{value:.{digits}f}"


def show(
    rows: Sequence[Row], columns: Mapping[str, str], title: str, console: Console | None = None
) -> None:
    """Prints the table to the screen (stderr: results go to stdout only when asked)."""
    with_boxes = len({row.boxes for row in rows}) > 1
    table = Table(title=title)
    for place, heading in enumerate(headings(columns, with_boxes)):
        table.add_column(heading, justify="left" if place < 3 else "right")
    for row in rows:
        table.add_row(*cells(row, columns, with_boxes, between="\n"))
    (console or wide_console()).print(table)


def wide_console() -> Console:
    """To stderr; wide enough for the table where the output is a file."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, width=200, highlight=False)


def markdown(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    """The table for a document."""
    with_boxes = len({row.boxes for row in rows}) > 1
    names = headings(columns, with_boxes)
    lines = [names, ["---"] * 3 + ["---:"] * (len(names) - 3)]
    lines += [cells(row, columns, with_boxes) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write_text(path: str, content: str) -> None:
    """Writes a result; ``-`` is stdout."""
    if path == "-":
        print(content)
        return
    try:
        Path(path).write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
