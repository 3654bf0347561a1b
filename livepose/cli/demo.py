"""``livepose demo``: the pipeline on a moving scene, as a video, as data and as one picture."""

import logging
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.cli.options import Command, options
from livepose.settings import option

if TYPE_CHECKING:
    from livepose.pipeline import PosePipeline

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoSettings:
    """Where the demo goes."""

    folder: Path = option(Path(), "where the files go")
    overwrite: bool = option(False, "replace files that are there")


COMMAND = Command("Runs on a scene made from two photographs.", [DemoSettings])


def run(arguments: Namespace) -> int:
    """Plays the demo and says where its files are."""
    from livepose.pipeline import PosePipeline

    for path in run_demo(PosePipeline(), options(DemoSettings, arguments)):
        print(path.resolve(), file=sys.stderr)
    return 0


def run_demo(pipeline: "PosePipeline", settings: DemoSettings) -> list[Path]:
    """Plays the scene; returns the files that were written: video, JSON lines, contact sheet."""
    from livepose.benchmark.scene import CameraPath
    from livepose.player import Player
    from livepose.sinks.jsonl import JsonLinesSink, make_header
    from livepose.sinks.pictures import SheetSink
    from livepose.sinks.protocol import Sink
    from livepose.sinks.video import VideoSink
    from livepose.window import Window

    scene, over = CameraPath(), settings.overwrite
    files = [settings.folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png")]
    video, lines, sheet = files
    header = make_header(source=scene.name, size_wh=scene.size_wh, fps=scene.fps)
    sinks: list[Sink] = [
        VideoSink(video, fps=scene.fps, overwrite=over),
        JsonLinesSink(lines, header, overwrite=over),
        SheetSink(sheet, overwrite=over),
    ]
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
    window = Window("livepose - demo") if possible else None
    pipeline.warm_up(scene.size_wh)
    summary = Player(pipeline, scene, sinks, window).play()
    logger.info(f"{summary.frames} frames at {summary.fps:.1f} fps")
    return files
