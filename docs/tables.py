"""Measures every table and plot of the documentation again, by the commands that stand beside them.

    python docs/tables.py FOLDER [--only NAME ...]

FOLDER holds what the commands name: ``coco/`` and ``lspet/`` (``images.zip`` and
``annotations.json`` in each), and ``peers/``. A document marks what is measured like this::

    <!-- begin NAME: Method, AP -->
    (a fenced block with the command, which writes NAME.md, NAME.png or both)

    (what was measured)
    <!-- end NAME -->

The columns after the colon are those that are shown; without them all are.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))
DOCUMENTS = (DOCS / "evaluation.md",)
BLOCK = re.compile(
    r"(?P<begin><!-- begin (?P<name>\w+)(?:: (?P<columns>[^>]*?))? -->\n"
    r"(?P<fence>```\n(?P<command>.*?)```\n)\n)"
    r"(?P<body>.*?)(?P<end><!-- end (?P=name) -->)",
    re.DOTALL,
)


def main() -> int:
    """Runs the commands and writes what they measured into the documents."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds coco/, lspet/ and peers/")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these tables alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="livepose-tables-") as folder:
        work = Path(folder)
        for entry in options.folder.iterdir():
            (work / entry.name).symlink_to(entry.resolve())
        (work / DOCS.name).symlink_to(DOCS)
        for document in DOCUMENTS:
            measure(document, work, options.only)
            if not options.only:
                name_machine(document)
    return 0


def measure(document: Path, work: Path, only: Sequence[str] | None) -> None:
    """One document after the other table; each table is written as soon as it is there."""
    for name in [match["name"] for match in BLOCK.finditer(document.read_text("utf-8"))]:
        if only and name not in only:
            continue
        start = time.perf_counter()
        match = block(document, name)
        for command in commands(match["command"]):
            subprocess.run(command, cwd=work, check=True)
        match = block(document, name)
        text = match.string
        written = text[: match.start("body")] + body(match, work) + text[match.end("body") :]
        document.write_text(written, encoding="utf-8")
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


def name_machine(document: Path) -> None:
    """Says between <!-- machine --> and <!-- /machine --> where all tables were measured."""
    from livepose.machine import processor_and_cores

    text = document.read_text(encoding="utf-8")
    machine = processor_and_cores()
    text = re.sub(r"(<!-- machine -->).*?(<!-- /machine -->)", rf"\g<1>{machine}\g<2>", text)
    document.write_text(text, encoding="utf-8")


def block(document: Path, name: str) -> re.Match[str]:
    """The block of that name as the document has it now."""
    found = BLOCK.finditer(document.read_text(encoding="utf-8"))
    return next(match for match in found if match["name"] == name)


def commands(text: str) -> list[list[str]]:
    """The command lines of a fenced block, run by this very Python."""
    lines = text.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.strip()]
    return [
        [sys.executable, *line[1:]] if line[0] == "python" else [sys.executable, "-m", *line]
        for line in words
    ]


def body(match: re.Match[str], work: Path) -> str:
    """What stands under the command: the plot, then the table."""
    name, parts = match["name"], []
    plot, table = work / f"{name}.png", work / f"{name}.md"
    if plot.exists():
        shutil.copyfile(plot, DOCS / plot.name)
        described = re.search(rf"!\[.*?\]\({plot.name}\)", match["body"], re.DOTALL)
        parts.append(described.group() if described else f"![{name}]({plot.name})")
    if table.exists():
        parts.append(chosen(table.read_text(encoding="utf-8").strip(), match["columns"]))
    if not parts:
        raise SystemExit(f"{name}: the command wrote neither {plot.name} nor {table.name}")
    return "\n\n".join(parts) + "\n"


def chosen(table: str, columns: str | None) -> str:
    """The table with these columns alone; lines that are none of it stay."""
    if not columns:
        return table
    names = cells(table.splitlines()[0])
    places = [names.index(one.strip()) for one in columns.split(",") if one.strip() in names]
    return "\n".join(
        "| " + " | ".join(cells(line)[place] for place in places) + " |"
        if line.startswith("|") else line
        for line in table.splitlines()
    )  # fmt: skip


def cells(line: str) -> list[str]:
    """What stands between the bars."""
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(DOCS.parent)
    sys.exit(main())
