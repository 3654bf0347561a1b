"""Opens what the options name, plays it, and says what was done."""

import logging
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from livepose.drawing import rehearse
from livepose.errors import UsageError
from livepose.frame import Frame
from livepose.pipeline import PosePipeline, Settings
from livepose.player import Look, Player, Summary
from livepose.poses import Poses
from livepose.sinks import (
    CocoSink,
    CsvSink,
    ImageSink,
    JsonLinesSink,
    OpenPoseSink,
    Sink,
    VideoSink,
    make_header,
)
from livepose.sinks.contact_sheet import SheetSink
from livepose.smoothing import PRICES
from livepose.sources import (
    Excerpt,
    LiveSettings,
    Source,
    VideoSource,
    open_camera,
    open_images,
    open_source,
    open_video,
)
from livepose.window import Window

logger = logging.getLogger(__name__)
LATE_S = 8.0
"""Whoever waits longer than this is told why."""


def play(arguments: Namespace, settings: Settings) -> Summary:
    """Plays the chosen source to its end."""
    # The source first: a wrong path is said at once, not after the networks were loaded.
    source = open_chosen(arguments)
    try:
        with rehearsed(arguments):
            pipeline = open_pipeline(settings, source)
        window = open_window(arguments, source)
        sinks = open_sinks(arguments, source, pipeline)
        player = Player(pipeline, source, sinks, window, look(arguments))
        with progress_bar(source, window is not None) as progress:
            player.progress = progress
            summary = player.play()
    finally:
        source.close()
    logger.info(said(summary, arguments))
    return summary


@contextmanager
def rehearsed(arguments: Namespace) -> Iterator[None]:
    """Whoever is going to draw gets ready beside what is done in here."""
    if not draws(arguments):
        yield
        return

    def ready() -> None:
        with suppress(Exception):  # what fails here fails again, and is told, at the first picture
            rehearse()

    beside = threading.Thread(target=ready, name="drawing", daemon=True)  # Ctrl-C does not wait
    beside.start()
    yield
    beside.join()


def draws(arguments: Namespace) -> bool:
    """Whether pictures are going to be drawn."""
    seen = arguments.show or not (arguments.no_window or writes_files(arguments))
    return bool(seen or arguments.output or arguments.sheet)


def open_chosen(arguments: Namespace, *, deferred: bool = False) -> Source:
    """The source that the options name; a live one at once where it may be ``deferred``."""
    excerpt = Excerpt(arguments.start, arguments.end, arguments.step)
    source = _open(arguments, live_settings(arguments, deferred), excerpt)
    if excerpt != Excerpt() and not isinstance(source, VideoSource):
        source.close()
        raise UsageError(f"--start, --end and --step are for video files, not for {source.name}")
    return source


def _open(arguments: Namespace, live: LiveSettings, excerpt: Excerpt) -> Source:
    asked = {"camera_size": arguments.camera_size, "camera_fps": arguments.camera_fps}
    always: dict[str, Any] = {"rotate": arguments.rotate}
    if arguments.image is not None:
        return open_images(arguments.image, **always)
    if arguments.video is not None:
        return open_video(arguments.video, excerpt=excerpt, **always)
    if arguments.camera is not None and "://" not in arguments.camera:
        return open_camera(arguments.camera, settings=live, **asked, **always)
    named = arguments.camera or arguments.source
    return open_source(named, live=live, excerpt=excerpt, **asked, **always)


def live_settings(arguments: Namespace, deferred: bool) -> LiveSettings:
    """How patient the options want a camera to be."""
    asked = LiveSettings(open_timeout_s=arguments.open_timeout, deferred=deferred)
    if arguments.reconnect is None:
        return asked
    return replace(asked, reconnect_s=arguments.reconnect, wait_at_start=True)


def open_pipeline(settings: Settings, source: Source) -> PosePipeline:
    """The pipeline, warm, with one line that says what it runs on."""
    start_s = time.perf_counter()
    logger.info("warming up ...")
    with patience():
        pipeline = PosePipeline(settings)
        pipeline.warm_up(source.size_wh)
    logger.info(f"smoothing: {settings.smooth} ({PRICES[settings.smooth]})")
    logger.info(f"ready after {time.perf_counter() - start_s:.1f} s{memory_held(pipeline)}")
    return pipeline


@contextmanager
def patience() -> Iterator[None]:
    """Says why, where getting ready takes long."""
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


def memory_held(pipeline: PosePipeline) -> str:
    """What the networks and their buffers hold of a GPU's memory, if they are on one."""
    gpu = pipeline.estimator.gpu
    return "" if gpu is None else f", {gpu.held_mib():.0f} MiB held on {gpu.runtime.device}"


def open_window(arguments: Namespace, source: Source) -> Window | None:
    """A window, where one is wanted and can be had."""
    if arguments.no_window or (writes_files(arguments) and not arguments.show):
        if source.live and not arguments.no_window:
            return _window_if_possible(source)
        return None
    return _window_if_possible(source)


def _window_if_possible(source: Source) -> Window | None:
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
        return None
    return Window(f"livepose - {source.name}")


def writes_files(arguments: Namespace) -> bool:
    """Whether any output was asked for."""
    names = ("output", "json", "csv", "openpose_json", "coco_json", "sheet")
    return any(getattr(arguments, name) is not None for name in names)


def open_sinks(arguments: Namespace, source: Source, pipeline: PosePipeline) -> list[Sink]:
    """Everything that the options ask to be written."""
    sinks: list[Sink] = []
    stem = Path(source.name).stem or "livepose"
    if arguments.output is not None:
        sinks.append(drawn_sink(arguments.output, source))
    if arguments.json is not None:
        ending = budget_summary(pipeline) if pipeline.scheduler.budget else None
        sinks.append(JsonLinesSink(arguments.json, header(source, pipeline), ending))
    if arguments.csv is not None:
        sinks.append(CsvSink(arguments.csv))
    if arguments.openpose_json is not None:
        sinks.append(OpenPoseSink(arguments.openpose_json, stem))
    if arguments.coco_json is not None:
        sinks.append(CocoSink(arguments.coco_json))
    if arguments.sheet is not None:
        sinks.append(SheetSink(arguments.sheet))
    return sinks


def drawn_sink(path: Path, source: Source) -> Sink:
    """Where drawn pictures go: pictures as pictures, everything else as a video."""
    if source.kind == "images":
        return ImageSink(path)
    if not isinstance(source, VideoSource):
        return VideoSink(path, fps=source.fps)
    if source.path is None:
        logger.info(f"{source.name} is a pipe, which is read once: {path} has no sound")
    within = source.excerpt.start_s > 0
    return VideoSink(path, audio_from=source.path, fps=source.fps, from_first_frame=within)


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
    return lambda: {"given_up": asdict(pipeline.scheduler.given_up)}


def look(arguments: Namespace) -> Look:
    """The options as the look of the drawing."""
    return Look(
        mirror=arguments.mirror,
        score_threshold=arguments.keypoint_threshold,
        boxes=arguments.boxes,
        uncertainty=arguments.uncertainty,
    )


def progress_bar(
    source: Source, windowed: bool
) -> AbstractContextManager[Callable[[Frame, Poses, float], None] | None]:
    """A progress bar for files; a live source has its window instead."""
    if source.live or windowed:
        return nullcontext(None)
    from livepose.cli.progress import FrameProgress

    return FrameProgress(source.frame_count)


def said(summary: Summary, arguments: Namespace) -> str:
    """One sentence on what was done."""
    text = f"{summary.frames} frames in {summary.duration_s:.1f} s ({summary.fps:.1f} fps)"
    if summary.dropped:
        text += f", {summary.dropped} dropped"
    if summary.given_up:
        text += f"; to hold the budget: {', '.join(summary.given_up)}"
    if arguments.output is not None:
        text += f"; written to {arguments.output}"
    return text
