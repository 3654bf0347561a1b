"""``python -m studies.published [--measured FILE ...] [--markdown FILE]``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from livepose.cli import guarded
from livepose.evaluation.report import require_writable, write_text
from studies.published.tables import measured_rows, paper_markdown, show_paper


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.published", description="The papers' tables.")
    parser.add_argument(
        "--measured", nargs="+", type=Path, default=[], metavar="FILE",
        help="written by livepose eval --json",
    )  # fmt: skip
    parser.add_argument("--markdown", metavar="FILE", help="the tables, - is stdout")
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def run(arguments: Namespace) -> int:
    """Prints the tables, or writes them as Markdown."""
    require_writable([arguments.markdown])
    measured = measured_rows(arguments.measured)
    if arguments.markdown:
        write_text(arguments.markdown, paper_markdown(measured))
    else:
        show_paper(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
