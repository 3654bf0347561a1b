"""``livepose plot``: what somebody did, over time, on one page."""

import logging
from argparse import Namespace
from pathlib import Path
from typing import Any

from livepose.errors import UsageError

logger = logging.getLogger(__name__)


def register(subparsers: Any) -> None:
    """Adds the command ``plot``."""
    parser = subparsers.add_parser(
        "plot",
        help="positions, speeds and angles of a run on one page",
        description="Draws positions, speeds and angles with their bands, one page a file.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="written by --json")
    parser.add_argument(
        "--output", type=Path, metavar="PAGE", help=".png, .pdf or .html; FILE.png unless given"
    )
    parser.add_argument("--id", type=int, action="append", default=[], help="only this person")


def run(arguments: Namespace) -> int:
    """Draws a page for each file."""
    from livepose.results.plot import check_suffix, draw_page, save_page
    from livepose.results.reading import read

    if arguments.output is not None:
        check_suffix(arguments.output)
        if len(arguments.files) > 1:
            raise UsageError("--output names one page; leave it out for several files")
    for file in arguments.files:
        page = arguments.output or file.with_suffix(".png")
        if page.resolve() == file.resolve():
            raise UsageError(f"{page} is the input itself; name another page by --output")
        save_page(draw_page(read(file), arguments.id), page, title=file.name)
        logger.info(f"{page}")
    return 0
