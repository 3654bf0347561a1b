"""``livepose plot``: what somebody did, over time, on one page."""

import logging
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from livepose.cli.options import Command, options
from livepose.errors import DataError, UsageError
from livepose.settings import option

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlotSettings:
    """What is drawn, and where."""

    files: tuple[Path, ...] = option(
        help="written by --json, or a folder of such files", flag="files", metavar="FILE", nargs="+"
    )
    output: Path | None = option(None, ".png, .pdf or .html; FILE.png unless given", metavar="PAGE")
    id: tuple[int, ...] = option((), "only this person")
    overwrite: bool = option(False, "replace pages that are there")


COMMAND = Command(
    "Draws positions, speeds and angles with their bands, one page a file.", [PlotSettings]
)


def run(arguments: Namespace) -> int:
    """Draws a page for each file; of several, those that cannot be drawn are left out and said."""
    from livepose.results.plot import check_suffix

    settings = options(PlotSettings, arguments)
    files = [file for path in settings.files for file in results_of(path)]
    if settings.output is not None:
        check_suffix(settings.output)
        if len(files) > 1:
            raise UsageError("--output names one page; leave it out for several files")
    drawn, failures = 0, []
    for file in files:
        try:
            draw(file, settings.output or file.with_suffix(".png"), settings)
            drawn += 1
        except DataError as error:
            failures.append(error)
    for failure in failures:
        if not drawn:
            raise failure
        logger.warning(f"left out: {failure}")
    return 0


def results_of(path: Path) -> list[Path]:
    """The file itself, or the results in a folder."""
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise DataError(
            f"{path} holds no results (.jsonl); to make and plot them: livepose {path}"
            " --output-dir OUT --json, then livepose plot OUT"
        )
    return files


def draw(file: Path, page: Path, settings: PlotSettings) -> None:
    """The page of one file."""
    from livepose.results.plot import draw_page, save_page
    from livepose.results.reading import read
    from livepose.sinks.claims import check_outputs

    check_outputs({"--output": page}, [file], overwrite=settings.overwrite)
    save_page(draw_page(read(file), settings.id), page, title=file.name)
    logger.info(f"{page}")
