"""``livepose demo``: shows what livepose does, without camera or video."""

import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from livepose.cli.options import Command, options
from livepose.settings import option


@dataclass(frozen=True)
class DemoSettings:
    """Where the demo goes."""

    folder: Path = option(Path(), "where the files go")
    overwrite: bool = option(False, "replace files that are there")


COMMAND = Command("Runs on a scene made from two photographs.", [DemoSettings])


def run(arguments: Namespace) -> int:
    """Plays the demo and says where its files are."""
    from livepose.benchmark.demo import run_demo
    from livepose.pipeline import PosePipeline

    settings = options(DemoSettings, arguments)
    for path in run_demo(PosePipeline(), settings.folder, overwrite=settings.overwrite):
        print(path.resolve(), file=sys.stderr)
    return 0
