"""Rows as a table on the screen, as Markdown, and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from livepose.errors import SinkError
from livepose.evaluation.measured import Measured
from livepose.evaluation.rows import Row

COCO_COLUMNS = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "apm": "APM", "apl": "APL", "ar": "AR",
}  # fmt: skip
WORDS = ("Method", "Backbone", "Input", "Boxes")
"""Columns of words; those of numbers stand to the right."""
MINUS_FIRST = "minus first"
FILE_WIDTH = 240
"""Characters of a line that goes to a file, not to a screen."""

Cell = Callable[[Row], str]
Cells = list[tuple[str, list[str]]]


def layout(columns: Mapping[str, str], between: str) -> list[tuple[str, Cell]]:
    """Headings, those of the paper first, and what stands under each."""
    return [
        ("Method", lambda row: row.method),
        ("Backbone", lambda row: row.backbone),
        ("Input", lambda row: row.input_size),
        ("Boxes", lambda row: row.boxes),
        ("Params M", lambda row: text(row.cost.params_m if row.cost else None)),
        ("GFLOPs", lambda row: text(row.cost.gflops if row.cost else None)),
        *((title, partial(figure, name=name, between=between)) for name, title in columns.items()),
        (MINUS_FIRST, partial(minus_first, between=between)),
        ("Crops/s", lambda row: text(row.speed.crops_per_s if row.speed else None, 0)),
        ("ms", lambda row: text(row.speed.end_to_end_ms if row.speed else None)),
    ]


def filled(rows: Sequence[Row], columns: Mapping[str, str], between: str = " ") -> Cells:
    """The columns that say something: none that nobody fills, no boxes that all share."""
    whole = [(name, [cell(row) for row in rows]) for name, cell in layout(columns, between)]
    return [
        (name, cells) for name, cells in whole if len(set(cells)) > (1 if name == "Boxes" else 0)
        and any(cells)
    ]  # fmt: skip


def figure(row: Row, name: str, between: str = " ") -> str:
    """A figure with its interval where one was drawn."""
    value = text(row.figures.get(name))
    interval = row.intervals.get(name)
    return f"{value}{between}{interval}" if value and interval is not None else value


def minus_first(row: Row, between: str = " ") -> str:
    """How far the row is from the first of its network, with the paired interval."""
    apart = row.minus_first
    return "" if apart is None else f"{apart.points:+.1f}{between}{apart.interval}"


def text(value: float | None, digits: int = 1) -> str:
    """A number for reading; empty where there is none."""
    return "" if value is None or value != value else f"{value:.{digits}f}"


def show(
    measured: Measured, columns: Mapping[str, str], title: str, to_stderr: bool = False
) -> None:
    """Prints the table, and how far the networks are from each other."""
    console = wide_console(to_stderr)
    table = Table(title=title)
    shown = filled(measured.rows, columns, between="\n")
    for heading, _ in shown:
        table.add_column(heading, justify="left" if heading in WORDS else "right")
    for cells in zip(*(cells for _, cells in shown), strict=True):
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
    lines = [
        [heading for heading, _ in shown],
        ["---" if heading in WORDS else "---:" for heading, _ in shown],
        *zip(*(cells for _, cells in shown), strict=True),
    ]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
    sentences = between_networks(measured)
    return "\n".join([table, *(f"- {one}" for one in sentences), ""]) if sentences else table


def between_networks(measured: Measured) -> list[str]:
    """The differences that stand in no row."""
    within = [row.minus_first for row in measured.rows]
    return [str(one) for one in measured.differences if one not in within]


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
