"""Opens what the options name, plays it, and says what was done."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose import drawing
from livepose.cli.live import open_live
from livepose.cli.opening import wants_window
from livepose.cli.run_options import (
    LiveOptions,
    OutputOptions,
    RunOptions,
    WindowOptions,
)
from livepose.cli.view import Watch
from livepose.errors import UsageError
from livepose.frame import Frame
from livepose.painter import Look
from livepose.pipeline import PosePipeline, Settings
from livepose.player import Player, Summary, close_all
from livepose.poses import Poses
from livepose.results.angles import NAMES, each_of
from livepose.results.datasets import CocoDatasetSink, YoloPoseSink
from livepose.results.motion_files import MotSink, TrcSink
from livepose.results.tables import CsvSink, ParquetSink, beside
from livepose.sinks.coco import CocoSink
from livepose.sinks.files import Rotation
from livepose.sinks.jsonl import JsonLinesSink, make_header
from livepose.sinks.openpose import OpenPoseSink
from livepose.sinks.pictures import ImageSink, SheetSink
from livepose.sinks.protocol import Sink
from livepose.sinks.video import VideoSink
from livepose.smoothing import PRICES
from livepose.sources import AnimationSource, Source, VideoSource
from livepose.window import Window

if TYPE_CHECKING:
    from livepose.live import BrowserView

logger = logging.getLogger(__name__)
LATE_S = 8.0
"""Whoever waits longer than this is told why."""
USUAL_WH = (640, 480)
"""What is prepared for where no frame has come."""


def play(
    options: RunOptions,
    source: Source,
    pipeline: PosePipeline,
    window: Window | None,
    view: "BrowserView | None",
    watch: Watch,
) -> Summary:
    """Plays a source to its end with a pipeline that is ready."""
    sinks = open_all(options, options.outputs, options.live, source, pipeline, view)
    watch(sinks)
    player = Player(pipeline, source, sinks, window, look(options.window))
    player.export_threshold = options.outputs.kpt_thr
    with progress_bar(source, window is not None) as progress:
        player.progress = progress
        summary = player.play()
    logger.info(said(summary, options.outputs))
    return summary


def open_ready(
    options: RunOptions, source: Source, told: Callable[[str], None] = lambda part: None
) -> PosePipeline:
    """The pipeline, warm, and the drawing too; ``told`` hears of each part that is ready."""
    with with_drawing_warm(options):
        return open_pipeline(options.settings, source, told)


@contextmanager
def with_drawing_warm(options: RunOptions) -> Iterator[None]:
    """Whoever is going to draw gets ready beside what is done in here."""
    if not draws(options):
        yield
        return

    def ready() -> None:
        with suppress(Exception):  # what fails here fails again, and is told, at the first picture
            drawing.warm_up()

    beside = threading.Thread(target=ready, name="drawing", daemon=True)  # Ctrl-C does not wait
    beside.start()
    yield
    beside.join()


def draws(options: RunOptions) -> bool:
    """Whether pictures are going to be drawn."""
    outputs, camera = options.outputs, options.live.virtual_camera
    return wants_window(options) or bool(outputs.output or outputs.sheet or camera is not None)


def open_pipeline(settings: Settings, source: Source, told: Callable[[str], None]) -> PosePipeline:
    """The pipeline, warm, with one line that says what it runs on."""
    with patience():
        pipeline = PosePipeline(settings, told=told)
        pipeline.warm_up(source.size_wh if source.size_wh[0] else USUAL_WH)
    logger.info(f"smoothing: {settings.smooth} ({PRICES[settings.smooth]})")
    if (gpu := pipeline.estimator.gpu) is not None:
        logger.info(f"{gpu.held_mib():.0f} MiB held on {gpu.runtime.device}")
    return pipeline


@contextmanager
def patience() -> Iterator[None]:
    """Says how long getting ready takes, and why, where that is long."""
    logger.info("warming up ...")
    start_s = time.perf_counter()
    late = threading.Timer(
        LATE_S,
        logger.info,
        ["still warming up: a first start compiles, for up to a minute; later ones are quicker"],
    )
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
    logger.info(f"ready after {time.perf_counter() - start_s:.1f} s")


def open_all(
    options: RunOptions,
    outputs: OutputOptions,
    live: LiveOptions,
    source: Source,
    pipeline: PosePipeline,
    view: "BrowserView | None",
) -> list[Sink]:
    """Every output of one stream: files, then live ones."""
    said = header_of(outputs, source, pipeline)
    files = open_sinks(outputs, options.sources.rotation, source, pipeline, said)
    try:
        return files + open_live(live, source, pipeline, said, view)
    except BaseException:
        close_all(files)
        raise


def header_of(outputs: OutputOptions, source: Source, pipeline: PosePipeline) -> dict[str, Any]:
    """What JSON lines and receivers are told first."""
    angles = {"angles": list(NAMES)} if outputs.angles else {}
    return {**header(source, pipeline), "keypoint_threshold": outputs.kpt_thr, **angles}


def open_sinks(
    outputs: OutputOptions,
    rotated: str | None,
    source: Source,
    pipeline: PosePipeline,
    said: dict[str, Any],
) -> list[Sink]:
    """Every file that the options ask for."""
    asked = outputs
    if asked.angles and str(asked.csv) == "-":
        raise UsageError("--angles go into a CSV of their own: --csv needs a file, not -")
    stem = Path(source.name).stem or "livepose"
    over: dict[str, Any] = {"overwrite": asked.overwrite}
    lines = {**over, "rotation": Rotation.parse(rotated) if rotated else None}
    ending = budget_summary(pipeline) if pipeline.scheduler.budget else None
    kinds: list[tuple[Any, Callable[[Any], Sink]]] = [
        (asked.output, lambda path: drawn_sink(path, source, **over)),
        (
            asked.json,
            lambda path: JsonLinesSink(
                path, said, ending, slim=asked.slim, each=each_of(said), **lines
            ),
        ),
        (asked.csv, lambda path: CsvSink(path, **lines)),
        (asked.openpose_json, lambda path: OpenPoseSink(path, stem, **over)),
        (asked.coco_json, lambda path: CocoSink(path, **over)),
        (asked.sheet, lambda path: SheetSink(path, **over)),
        (asked.parquet, lambda path: ParquetSink(path, **over)),
        (asked.trc, lambda path: TrcSink(path, asked.rate_hz, asked.height_m, **over)),
        (asked.mot, lambda path: MotSink(path, asked.rate_hz, **over)),
        (asked.coco_dataset, lambda path: CocoDatasetSink(path, stem, **over)),
        (asked.yolo_pose, lambda path: YoloPoseSink(path, stem, **over)),
    ]
    angles: list[tuple[Any, Callable[[Any], Sink]]] = [
        (asked.csv, lambda path: CsvSink(beside(path), angles=True, **over)),
        (asked.parquet, lambda path: ParquetSink(beside(path), angles=True, **over)),
    ]
    wanted = kinds + (angles if asked.angles else [])
    return [opened(path) for path, opened in wanted if path is not None]


def drawn_sink(path: Path, source: Source, *, overwrite: bool) -> Sink:
    """Where drawn pictures go: pictures as pictures, everything else as a video."""
    if source.kind == "images":
        return ImageSink(path, overwrite=overwrite)
    if not isinstance(source, VideoSource | AnimationSource):
        return VideoSink(path, fps=source.fps, overwrite=overwrite)
    if source.path is None and isinstance(source, VideoSource):
        logger.info(f"{source.name} is a pipe, which is read once: {path} has no sound")
    within = source.excerpt.start_s > 0
    return VideoSink(
        path,
        audio_from=source.path,
        fps=source.fps,
        from_first_frame=within,
        overwrite=overwrite,
    )


def header(source: Source, pipeline: PosePipeline) -> dict[str, Any]:
    """The first line of the JSON lines: what the numbers below it mean and came from."""
    runtime = pipeline.estimator.runtime
    (width, height), (scale_x, scale_y) = source.size_wh, source.scale_xy
    return make_header(
        source=source.name,
        size_wh=(round(width / scale_x), round(height / scale_y)),
        pixel_aspect=round(scale_x / scale_y, 4),
        skeleton=pipeline.skeleton,
        fps=source.fps,
        kind=source.kind,
        pose={
            "network": runtime.card.network,
            "input_hw": list(runtime.card.input_hw),
            "sha256": runtime.card.sha256,
            "decode": pipeline.estimator.method,
            "runtime": f"{runtime.name}, {runtime.device}, {runtime.precision}",
        },
        detector=None if pipeline.detector is None else pipeline.detector.name,
        smooth=pipeline.smoother.method,
        budget=asdict(pipeline.scheduler.budget) if pipeline.scheduler.budget else None,
    )


def budget_summary(pipeline: PosePipeline) -> Callable[[], dict[str, Any]]:
    """What the last JSON line says: what was given up to hold the budget."""
    return lambda: {"given_up": asdict(pipeline.scheduler.dropped_work)}


def look(options: WindowOptions) -> Look:
    """The options as the look of the drawing."""
    return Look(
        mirror=options.mirror,
        score_threshold=options.keypoint_threshold,
        boxes=options.boxes,
        uncertainty=options.uncertainty,
        angles=options.draw_angles,
        skeleton_only=options.skeleton_only,
    )


def progress_bar(
    source: Source, windowed: bool
) -> AbstractContextManager[Callable[[Frame, Poses, float], None] | None]:
    """A progress bar for files; a live source has its window instead."""
    if source.live or windowed:
        return nullcontext(None)
    from livepose.cli.progress import FrameProgress

    return FrameProgress(source.frame_count)


def said(summary: Summary, outputs: OutputOptions) -> str:
    """One sentence on what was done."""
    text = f"{summary.frames} frames in {summary.duration_s:.1f} s ({summary.fps:.1f} fps)"
    if summary.dropped:
        text += f", {summary.dropped} dropped"
    if summary.dropped_work:
        text += f"; to hold the budget: {', '.join(summary.dropped_work)}"
    if outputs.output is not None:
        text += f"; written to {outputs.output}"
    return text
