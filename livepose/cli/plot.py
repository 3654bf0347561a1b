"""``livepose plot``: what somebody did, over time, on one page."""

import logging
from argparse import Namespace
from pathlib import Path
from typing import Any

from livepose.errors import DataError, UsageError

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
    parser.add_argument("--overwrite", action="store_true", help="replace pages that are there")


def run(arguments: Namespace) -> int:
    """Draws a page for each file; of several, those that cannot be drawn are left out and said."""
    from livepose.results.plot import check_suffix

    if arguments.output is not None:
        check_suffix(arguments.output)
        if len(arguments.files) > 1:
            raise UsageError("--output names one page; leave it out for several files")
    drawn, failures = 0, []
    for file in arguments.files:
        try:
            draw(file, arguments.output or file.with_suffix(".png"), arguments)
            drawn += 1
        except DataError as error:
            failures.append(error)
    for failure in failures:
        if not drawn:
            raise failure
        logger.warning(f"left out: {failure}")
    return 0


def draw(file: Path, page: Path, arguments: Namespace) -> None:
    """The page of one file."""
    from livepose.results.plot import draw_page, save_page
    from livepose.results.reading import read
    from livepose.sinks import check_outputs

    check_outputs({"--output": page}, [file], overwrite=arguments.overwrite)
    save_page(draw_page(read(file), arguments.id), page, title=file.name)
    logger.info(f"{page}")
