"""The published tables beside what was measured here, clearly told apart.

    python -m studies.published [--measured FILE ...] [--markdown FILE]

``coco.csv`` and ``mpii.csv`` hold the figures as printed, with their source in the first column:
the DARK paper (arXiv 1910.06278), and the READMEs and model zoos of DarkPose, HRNet,
SimpleBaseline and MMPose.
"""

import csv
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from livepose.cli import guarded
from livepose.errors import DataError
from livepose.evaluation.dataset import read_json
from livepose.evaluation.metrics import Interval
from livepose.evaluation.report import BACKBONES, markdown_table, require_writable, write_text

PAPER = "DARK paper"
DARKPOSE = "DarkPose README"
COCO_FIGURES = ("params_m", "gflops", "ap", "ap50", "ap75", "apm", "apl", "ar")
MPII_FIGURES = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean")
WORDS = ("Status", "Set", "Method", "Backbone", "Input")
BACKBONES_HERE = frozenset(BACKBONES.values())
NOT_RUN = ("G-RMI", "IPR")
"""On a backbone that livepose has, but with a head of their own."""
APART = (
    "Published figures are others', on their data; measured ones are livepose's own, on the set"
    " named in the row. The two are not comparable across sets.\n"
)
Row = Mapping[str, Any]


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


def measured_rows(paths: Iterable[Path]) -> list[Row]:
    """Rows of files that ``livepose eval ... --json`` wrote; DataError for anything else."""
    rows: list[Row] = []
    for path in paths:
        document = read_json(path, "file of measured rows")
        if not isinstance(document, Mapping) or not {"rows", "set"} <= document.keys():
            raise DataError(f"{path} was not written by `livepose eval ... --json`")
        own = [{**row, "set": document["set"]} for row in document["rows"]]
        known = (set(COCO_FIGURES), set(MPII_FIGURES))
        if not all(any(figures <= row.keys() for figures in known) for row in own):
            raise DataError(
                f"{path} has neither COCO's nor MPII's figures: no published table fits"
            )
        rows += own
    return rows


def runs_here(row: Row) -> bool:
    """Can livepose run this system, given its weights?"""
    return row["backbone"] in BACKBONES_HERE and not row["method"].startswith(NOT_RUN)


def status(row: Row, measured: Sequence[Row]) -> str:
    """What livepose has to say to a published row."""
    if not runs_here(row):
        return "published; livepose does not run it"
    decoder = "DARK" if "DARK" in row["method"] else "shift"
    same = any(
        all(one[name] == row[name] for name in ("backbone", "input_size_hw"))
        and f", {decoder}" in one["method"]
        for one in measured
    )
    return "published; see measured below" if same else "published; not measured here"


def table(rows: Sequence[Row], figures: Sequence[str], measured: Sequence[Row]) -> str:
    """Published rows, then measured ones, and where the figures come from."""
    own = [row for row in measured if set(figures) <= row.keys()]
    lines = [cells(row, status(row, own), published_set(row), figures) for row in rows]
    lines += [cells(row, "measured here", row["set"], figures) for row in own]
    times = Counter(row["notes"] for row in rows)
    odd = [row for row in rows if row["notes"] and times[row["notes"]] == 1]
    remarks = [
        f"- Published in: {'; '.join(dict.fromkeys(row['source'] for row in rows))}.",
        *(f"- {row['method']} {row['backbone']}: {row['notes']}." for row in odd),
    ]
    headings = (*WORDS, *figures)
    return "\n".join([markdown_table(headings, lines, len(WORDS)), "", *remarks])


def published_set(row: Row) -> str:
    """Where a published row was measured."""
    threshold = row.get("threshold")
    return f"{row['dataset']} {row['split']}" + (f" @{threshold}" if threshold else "")


def cells(row: Row, state: str, data_set: str, figures: Sequence[str]) -> list[str]:
    """One row as text; measured figures with their intervals."""
    shown = ["" if row.get(name) is None else str(row[name]) for name in figures]
    for place, name in enumerate(figures):
        if shown[place] and name in row.get("intervals_95", {}):
            shown[place] += f" {Interval(*row['intervals_95'][name])}"
    return [state, data_set, row["method"], row["backbone"], row["input_size_hw"], *shown]


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.published", description="The papers' tables.")
    parser.add_argument(
        "--measured", nargs="+", type=Path, default=[], metavar="FILE",
        help="written by livepose eval --json",
    )  # fmt: skip
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the tables, - is stdout")
    arguments = parser.parse_args(words)

    def run() -> int:
        require_writable([arguments.markdown])
        measured = measured_rows(arguments.measured)
        tables = (
            table(paper_coco(), COCO_FIGURES, measured),
            table(paper_mpii(), MPII_FIGURES, measured),
        )
        write_text(arguments.markdown, "\n\n".join([*tables, APART]))
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
