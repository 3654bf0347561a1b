"""``livepose demo``: shows what livepose does, without camera or video."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("demo", help="run on a scene made from two photographs")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the files go")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(arguments: Namespace) -> int:
    """Plays the demo and says where its files are."""
    from livepose.benchmark.demo import run_demo
    from livepose.pipeline import PosePipeline

    written = run_demo(PosePipeline(), arguments.folder, overwrite=arguments.overwrite)
    for path in written:
        print(path.resolve(), file=sys.stderr)
    return 0
