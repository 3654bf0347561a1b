"""``livepose demo``: the pipeline on a moving scene, as a video, as data and as one picture."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from livepose.drawing import contact_sheet
from livepose.errors import SinkError
from livepose.frame import Frame, ImageBgr
from livepose.offline.scene import CameraPath
from livepose.pipeline import PosePipeline
from livepose.player import Player
from livepose.poses import Poses
from livepose.sinks import JsonLinesSink, Sink, VideoSink, make_header
from livepose.window import Window

SHEET_PICTURES = 12
SHEET_COLUMNS = 4
SHEET_WIDTH_PX = 1280


class SheetSink:
    """Keeps some of the drawn frames and writes them as one picture when it is closed."""

    needs_drawing = True

    def __init__(self, path: Path, frame_count: int) -> None:
        self._path = path
        last = max(frame_count - 1, 0)
        self._wanted = {int(i) for i in np.linspace(0, last, SHEET_PICTURES)}
        self._pictures_bgr: list[ImageBgr] = []
        self._labels: list[str] = []

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None) -> None:
        """Keeps the drawn frame if its turn has come."""
        if frame.index in self._wanted and drawn_bgr is not None:
            self._pictures_bgr.append(drawn_bgr.copy())
            self._labels.append(f"{frame.time_s:.1f} s")

    def close(self) -> None:
        """Writes the sheet."""
        if not self._pictures_bgr:
            return
        sheet = contact_sheet(self._pictures_bgr, SHEET_COLUMNS, SHEET_WIDTH_PX, self._labels)
        if not cv2.imwrite(str(self._path), sheet):
            raise SinkError(f"{self._path} cannot be written")


def run_demo(pipeline: PosePipeline, folder: Path, report: Callable[[str], None]) -> list[Path]:
    """Plays the scene; returns the files that were written: video, JSON lines, contact sheet."""
    scene = CameraPath()
    video, lines, sheet = (folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png"))
    header = make_header(source=scene.name, size_wh=scene.size_wh, fps=scene.fps)
    sinks: list[Sink] = [
        VideoSink(video, fps=scene.fps),
        JsonLinesSink(lines, header),
        SheetSink(sheet, scene.frame_count),
    ]
    possible, reason = Window.available()
    if not possible:
        report(f"no window: {reason}; running without one")
    window = Window("livepose - demo") if possible else None
    pipeline.warm_up(scene.size_wh)
    summary = Player(pipeline, scene, sinks, window, report=report).play()
    report(f"{summary.frames} frames at {summary.fps:.1f} fps")
    return [video, lines, sheet]
