"""``livepose demo``: the pipeline on a moving scene, as a video, as data and as one picture."""

import logging
from pathlib import Path

from livepose.benchmark.scene import CameraPath
from livepose.pipeline import PosePipeline
from livepose.player import Player
from livepose.sinks import JsonLinesSink, Sink, VideoSink, make_header
from livepose.sinks.contact_sheet import SheetSink
from livepose.window import Window

logger = logging.getLogger(__name__)


def run_demo(pipeline: PosePipeline, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Plays the scene; returns the files that were written: video, JSON lines, contact sheet."""
    scene = CameraPath()
    video, lines, sheet = (folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png"))
    header = make_header(source=scene.name, size_wh=scene.size_wh, fps=scene.fps)
    sinks: list[Sink] = [
        VideoSink(video, fps=scene.fps, overwrite=overwrite),
        JsonLinesSink(lines, header, overwrite=overwrite),
        SheetSink(sheet, overwrite=overwrite),
    ]
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
    window = Window("livepose - demo") if possible else None
    pipeline.warm_up(scene.size_wh)
    summary = Player(pipeline, scene, sinks, window).play()
    logger.info(f"{summary.frames} frames at {summary.fps:.1f} fps")
    return [video, lines, sheet]
