"""The published tables beside what was measured here, clearly told apart.

``coco.csv`` and ``mpii.csv`` hold the figures as printed, with their source in
the first column: the DARK paper (arXiv 1910.06278), and the READMEs and model zoos of DarkPose,
HRNet, SimpleBaseline and MMPose.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from livepose.errors import DataError
from livepose.evaluation.bootstrap import Interval
from livepose.evaluation.dataset import read_json
from livepose.evaluation.report import BACKBONES, wide_console

PAPER = "DARK paper"
DARKPOSE = "DarkPose README"
COCO_FIGURES = ("params_m", "gflops", "ap", "ap50", "ap75", "apm", "apl", "ar")
MPII_FIGURES = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean")
BACKBONES_HERE = frozenset(BACKBONES.values())
WORDS = 5
"""Columns before the figures."""
NOT_RUN = ("G-RMI", "IPR")
"""On a backbone that livepose has, but with a head of their own."""


def published(name: str) -> list[dict[str, str]]:
    """All rows of ``coco`` or ``mpii``, as printed."""
    text = (Path(__file__).parent / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def paper_coco() -> list[dict[str, str]]:
    """The DARK paper's table of COCO test-dev, and DarkPose's of COCO val at 128x96."""
    return [
        row
        for row in published("coco")
        if row["source"].startswith(PAPER)
        or (row["source"] == DARKPOSE and row["split"] == "val2017")
    ]


def paper_mpii() -> list[dict[str, str]]:
    """MPII: HRNet-W32 with and without DARK, at 0.5 and at 0.1."""
    return [row for row in published("mpii") if row["source"] == DARKPOSE]


def measured_rows(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Rows of files that ``livepose eval ... --json`` wrote; DataError for anything else."""
    rows = []
    for path in paths:
        document = read_json(path, "file of measured rows")
        if not isinstance(document, Mapping) or "rows" not in document or "set" not in document:
            raise DataError(f"{path} was not written by `livepose eval ... --json`")
        own = [{**row, "set": document["set"]} for row in document["rows"]]
        if not all(
            set(COCO_FIGURES) <= row.keys() or set(MPII_FIGURES) <= row.keys() for row in own
        ):
            raise DataError(
                f"{path} has neither COCO's nor MPII's figures: no published table fits"
            )
        rows += own
    return rows


def runs_here(row: Mapping[str, str]) -> bool:
    """Can livepose run this system, given its weights?"""
    return row["backbone"] in BACKBONES_HERE and not row["method"].startswith(NOT_RUN)


def status(row: Mapping[str, str], measured: Sequence[Mapping[str, Any]]) -> str:
    """What livepose has to say to a published row."""
    if not runs_here(row):
        return "published; livepose does not run it"
    decoder = "DARK" if "DARK" in row["method"] else "shift"
    same = [
        one
        for one in measured
        if one["backbone"] == row["backbone"]
        and one["input_size_hw"] == row["input_size_hw"]
        and f", {decoder}" in one["method"]
    ]
    return "published; see measured below" if same else "published; not measured here"


APART = (
    "Published figures are others', on their data; measured ones are livepose's own, on the set"
    " named in the row. The two are not comparable across sets."
)


@dataclass(frozen=True)
class PaperTable:
    """Published rows, then measured ones, as text."""

    title: str
    headings: Sequence[str]
    published: Sequence[Sequence[str]]
    measured: Sequence[Sequence[str]]
    remarks: Sequence[str]


def paper_tables(
    measured: Sequence[Mapping[str, Any]], between: str = "\n"
) -> tuple[PaperTable, PaperTable]:
    """COCO and MPII; ``between`` stands between a measured figure and its interval."""
    return (
        paper_table("COCO", paper_coco(), COCO_FIGURES, measured, between),
        paper_table("MPII (PCKh)", paper_mpii(), MPII_FIGURES, measured, between),
    )


def paper_table(
    title: str,
    rows: Sequence[Mapping[str, str]],
    figures: Sequence[str],
    measured: Sequence[Mapping[str, Any]],
    between: str,
) -> PaperTable:
    """One of them."""
    own = [row for row in measured if set(figures) <= row.keys()]
    return PaperTable(
        title,
        ("Status", "Set", "Method", "Backbone", "Input", *figures),
        [cells(row, status(row, own), published_set(row), figures, between) for row in rows],
        [cells(row, "measured here", row["set"], figures, between) for row in own],
        remarks(rows),
    )


def show_paper(measured: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Prints both tables of the paper, and in each what was measured here."""
    console = console or wide_console()
    for one in paper_tables(measured):
        table = Table(title=one.title)
        for place, heading in enumerate(one.headings):
            table.add_column(heading, justify="left" if place < WORDS else "right")
        for row in one.published:
            table.add_row(*row)
        table.add_section()
        for row in one.measured:
            table.add_row(*row, style="bold")
        console.print(table)
        for sentence in one.remarks:
            console.print(sentence, markup=False)
    console.print(APART)
    if not measured:
        console.print("Nothing measured was given: --measured FILE.json ...")


def paper_markdown(measured: Sequence[Mapping[str, Any]]) -> str:
    """The same for a document."""
    parts = []
    for one in paper_tables(measured, between=" "):
        rule = ["---"] * WORDS + ["---:"] * (len(one.headings) - WORDS)
        lines = [one.headings, rule, *one.published, *one.measured]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        parts.append("\n".join(f"- {sentence}" for sentence in one.remarks))
    return "\n\n".join([*parts, APART]) + "\n"


def remarks(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Where the figures come from, and what is odd about single ones."""
    times = Counter(row["notes"] for row in rows)
    sources = dict.fromkeys(row["source"] for row in rows)
    odd = [row for row in rows if row["notes"] and times[row["notes"]] == 1]
    return [
        f"Published in: {'; '.join(sources)}.",
        *(f"{row['method']} {row['backbone']}: {row['notes']}." for row in odd),
    ]


def published_set(row: Mapping[str, str]) -> str:
    """Where a published row was measured."""
    threshold = row.get("threshold")
    return f"{row['dataset']} {row['split']}" + (f" @{threshold}" if threshold else "")


def cells(
    row: Mapping[str, Any], state: str, data_set: str, figures: Sequence[str], between: str
) -> Sequence[str]:
    """One row as text; measured figures with their intervals."""
    numbers = ["" if row.get(name) is None else str(row.get(name)) for name in figures]
    intervals = row.get("intervals_95", {})
    shown = [
        f"{number}{between}{Interval(*intervals[name])}" if name in intervals and number else number
        for name, number in zip(figures, numbers, strict=True)
    ]
    return [state, data_set, row["method"], row["backbone"], row["input_size_hw"], *shown]
