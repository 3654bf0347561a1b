"""``python -m benchmarks``: everything, into one JSON and one Markdown file."""

import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import document as documents
from benchmarks.baselines import ROOT
from benchmarks.curves import CURVES
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.table import curve_parts, markdown, put_into
from livepose.cli import show_messages
from livepose.errors import INTERRUPTED_EXIT_CODE, LiveposeError, SinkError

logger = logging.getLogger(f"livepose.{__name__}")

PARTS = (
    "baselines-1",
    "baselines-4",
    "clips",
    "network",
    "stages",
    "startup",
    *(f"curves-{name}" for name in CURVES),
    "memory",
    "accuracy",
    "gpu",
)

USUAL_PARTS = PARTS[:-2]
"""All but the accuracy, which is the same on every machine and takes as long as all the others, and
the GPU's part, which needs one."""
MODULES = {"memory": "long_run"}
"""Where a part's module is not called as the part is."""


def parser() -> ArgumentParser:
    """The options."""
    made = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("--only", nargs="+", choices=PARTS, default=USUAL_PARTS)
    made.add_argument("--quick", action="store_true", help="seconds: to see that it runs")
    made.add_argument("--memory-frames", type=int, metavar="N", help="of the memory's long run")
    made.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks.json")
    made.add_argument("--readme", type=Path, default=ROOT / "README.md", help="whose table is set")
    return made


def measure(name: str, plan: Plan) -> dict[str, Any]:
    """One part."""
    if name.startswith("baselines-"):
        from benchmarks.baseline_rounds import measure_baselines
        from benchmarks.baselines.entries import ENTRIES

        return measure_baselines(int(name.removeprefix("baselines-")), ENTRIES, plan)
    if name.startswith("curves-"):
        from benchmarks.curves import measure_curve

        return measure_curve(name.removeprefix("curves-"), plan)
    return single_part(name)(plan)


def single_part(name: str) -> Callable[[Plan], dict[str, Any]]:
    """The function ``measure_NAME`` of its module."""
    module = import_module(f"benchmarks.{MODULES.get(name, name)}")
    function: Callable[[Plan], dict[str, Any]] = getattr(module, f"measure_{name}")
    return function


def run(arguments: Namespace) -> None:
    """Measures part after part; each is saved as soon as it is there."""
    plan = QUICK if arguments.quick else FULL
    plan = replace(plan, memory_frames=arguments.memory_frames or plan.memory_frames)
    document = documents.read(arguments.json)
    for name in arguments.only:
        logger.info(f"part {name}")
        document = documents.merged(document, name, measure(name, plan))
        documents.write(document, arguments.json)
    write_tables(document, arguments.json, arguments.readme)


def write_tables(document: dict[str, Any], json_path: Path, readme: Path) -> None:
    """Markdown and curves beside the JSON, and the README's table."""
    try:
        json_path.with_suffix(".md").write_text(markdown(document), encoding="utf-8")
        if readme.is_file() and not put_into(readme, document):
            logger.info(f"{readme} has no marks for the table; left as it is")
    except OSError as error:
        raise SinkError(f"the tables cannot be written: {error.strerror}") from error
    if curves := curve_parts(document["parts"]):
        from benchmarks.plots import plot_curves

        plot_curves(curves, json_path.with_name("benchmark-curves.png"))
    logger.info(f"figures in {json_path}, table in {json_path.with_suffix('.md')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs; the exit codes are livepose's."""
    show_messages()
    os.environ.setdefault("LIVEPOSE_OFFLINE", "1")
    try:
        run(parser().parse_args(argv))
    except LiveposeError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("benchmarks: stopped by Ctrl-C; finished parts are saved", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    return 0


if __name__ == "__main__":
    sys.exit(main())
