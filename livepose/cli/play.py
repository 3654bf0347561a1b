"""Opens networks and outputs, plays a source, and says what was done."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from livepose import drawing
from livepose.cli.run_options import OutputOptions, RunOptions, WindowOptions
from livepose.cli.start import LATE_S, Networks, Stream
from livepose.errors import SourceError, UsageError
from livepose.multistream import PoseService
from livepose.pipeline import STAGES, PosePipeline
from livepose.player import DrawingStyle, Player, Summary
from livepose.results.angles import NAMES, each_of
from livepose.results.motion_files import MotSink, TrcSink
from livepose.results.tables import CsvSink, ParquetSink, beside
from livepose.sinks.annotations import CocoDatasetSink, CocoSink, OpenPoseSink, YoloPoseSink
from livepose.sinks.files import parse_rotation
from livepose.sinks.images import ImageSink, SheetSink
from livepose.sinks.jsonl import JsonLinesSink, make_header
from livepose.sinks.sink import Sink
from livepose.sinks.video import VideoSink
from livepose.smoothing import PRICES
from livepose.sources import AnimationSource, LiveSource, Source, VideoSource

logger = logging.getLogger(__name__)
USUAL_WH = (640, 480)
"""What is prepared for where no frame has come."""
FIRST_FRAMES_S = 2.0
"""So long all wait, once the networks are open, for cameras that have not sent a frame."""


def play(player: Player, outputs: OutputOptions, alone: bool) -> None:
    """Plays a source to its end; ``alone`` it has a progress bar and a full sentence."""
    source = player.source
    progress: AbstractContextManager[Any] = nullcontext()
    if alone and not source.live and player.window is None:
        from livepose.cli.progress import frame_progress

        progress = frame_progress(source.frame_count)
    with progress as player.progress:
        summary = player.play()
    brief = f"{source.name}: {summary.frames} frames, {summary.fps:.1f} fps"
    logger.info(_said(summary, outputs) if alone else brief)


def _said(summary: Summary, outputs: OutputOptions) -> str:
    """One sentence on what was done."""
    frames = "1 frame" if summary.frames == 1 else f"{summary.frames} frames"
    text = f"{frames} in {summary.duration_s:.1f} s ({summary.fps:.1f} fps)"
    if summary.dropped:
        text += f", {summary.dropped} dropped"
    if summary.dropped_work:
        text += f"; to hold the budget: {', '.join(summary.dropped_work)}"
    return text if outputs.output is None else f"{text}; written to {outputs.output}"


def open_networks(
    options: RunOptions, sources: Sequence[Source], told: Callable[[str], None]
) -> Networks:
    """The networks, warm, for one source or for several that share them.

    ``told`` hears of each part that is ready.
    """
    settings, several = options.settings, len(sources) > 1
    with warming_up(options.draws()):
        networks = (PoseService if several else PosePipeline)(settings, told=told)
        until_s = time.perf_counter() + FIRST_FRAMES_S
        for source in sources:
            if several and isinstance(source, LiveSource):
                with suppress(SourceError):  # who fails tells of it later
                    source.wait_for_first(max(until_s - time.perf_counter(), 0.0))
        sizes_wh = [source.size_wh for source in sources if source.size_wh[0]] or [USUAL_WH]
        if isinstance(networks, PoseService):
            networks.warm_up(sizes_wh)
            return networks.stream
        networks.warm_up(sizes_wh[0], live=sources[0].live)
    if sources[0].kind != "images":  # images stand for themselves
        logger.info(f"smoothing: {settings.smooth} ({PRICES[settings.smooth]})")
    return lambda: nullcontext(networks)


@contextmanager
def warming_up(draws: bool) -> Iterator[None]:
    """Says how long it takes, and why where that is long; drawing gets ready beside it."""
    logger.info("warming up ...")
    start_s = time.perf_counter()
    why = "still warming up: a first start compiles, for up to a minute; later ones are quicker"
    late = threading.Timer(LATE_S, logger.info, [why])
    late.daemon = True
    late.start()
    beside = threading.Thread(target=_warm_drawing, name="drawing", daemon=True)
    if draws:
        beside.start()
    try:
        yield
    finally:
        late.cancel()
    if draws:
        beside.join()
    logger.info(f"ready after {time.perf_counter() - start_s:.1f} s")


def _warm_drawing() -> None:
    with suppress(Exception):  # what fails here fails again, and is told, at the first image
        drawing.warm_up()


def open_player(stream: Stream, pipeline: PosePipeline, *, dated: bool = True) -> Player:
    """What plays a stream, with every output of it; ``dated`` outputs say when they were made."""
    said = _header(stream, pipeline)
    if not dated:
        del said["started_utc"]
    sinks: list[Sink] = []
    with ExitStack() as stack:
        for sink in chain(_files(stream, pipeline, said), _live(stream, pipeline, said)):
            sinks.append(sink)
            stack.callback(sink.close)
        stack.pop_all()
    stream.watch(sinks)
    options = stream.options
    player = Player(pipeline, stream.source, sinks, stream.window, drawing_style(options.window))
    player.export_threshold = options.outputs.kpt_thr
    return player


def _files(stream: Stream, pipeline: PosePipeline, said: dict[str, Any]) -> Iterator[Sink]:
    """Every file that the options ask for."""
    asked, source, rotated = stream.options.outputs, stream.source, stream.options.sources.rotation
    if asked.angles and str(asked.csv) == "-":
        raise UsageError("--angles go into a CSV of their own: --csv needs a file, not -")
    stem = Path(source.name).stem or "livepose"
    over: dict[str, Any] = {"overwrite": asked.overwrite}
    lines = {**over, "rotation": parse_rotation(rotated) if rotated else None}
    json = {**lines, "slim": asked.slim, "each": each_of(said)}
    # The last JSON line says what was given up to hold the budget.
    scheduler = pipeline.scheduler
    ending = (lambda: {"given_up": asdict(scheduler.dropped_work)}) if scheduler.limited else None
    tables: list[tuple[Any, Callable[[Any], Sink]]] = [
        (asked.output, lambda path: _drawn_sink(path, source, **over)),
        (asked.json, lambda path: JsonLinesSink(path, said, ending, **json)),
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
    if asked.angles:
        tables += [
            (asked.csv, lambda path: CsvSink(beside(path), angles=True, **over)),
            (asked.parquet, lambda path: ParquetSink(beside(path), angles=True, **over)),
        ]
    return (opened(path) for path, opened in tables if path is not None)


def _drawn_sink(path: Path, source: Source, *, overwrite: bool) -> Sink:
    """Where drawn images go: images as images, everything else as a video."""
    if source.kind == "images":
        return ImageSink(path, overwrite=overwrite)
    clip = source if isinstance(source, VideoSource | AnimationSource) else None
    if isinstance(clip, VideoSource) and clip.path is None:
        logger.info(f"{source.name} is a pipe, which is read once: {path} has no sound")
    return VideoSink(
        path,
        audio_from=None if clip is None else clip.path,
        fps=source.fps,
        from_first_frame=clip is not None and clip.excerpt.start_s > 0,
        overwrite=overwrite,
    )


def _live(stream: Stream, pipeline: PosePipeline, said: dict[str, Any]) -> Iterator[Sink]:
    """Everything that takes frames while they are fresh; the health of the stream comes first.

    Servers take a while to import, so that happens where one is asked for.
    """
    live, source, view = stream.options.live, stream.source, stream.view
    if not (live.asked() or live.health is not None or view is not None):
        return
    from livepose.live.bus import open_bus
    from livepose.live.health import Health
    from livepose.live.virtual_camera import VirtualCameraSink

    health = Health(
        source.name,
        lambda: {name: pipeline.clock.percentiles_ms(name, 50)[0] for name in STAGES},
        lambda: int(getattr(source, "reconnects", 0)),
    )
    yield health
    for url in live.send:
        yield open_bus(url, said)
    if view is not None:
        view.begin(pipeline.skeleton, health)
        yield view
    if live.virtual_camera is not None:
        yield VirtualCameraSink(live.virtual_camera, source.fps)


def _header(stream: Stream, pipeline: PosePipeline) -> dict[str, Any]:
    """What JSON lines and receivers are told first: what the numbers mean and came from."""
    source, outputs = stream.source, stream.options.outputs
    runtime, chosen = pipeline.estimator.runtime, pipeline.settings
    budget = {name: getattr(chosen, name) for name in ("max_latency_ms", "target_fps")}
    (width, height), (scale_x, scale_y) = source.size_wh, source.scale_xy
    said = make_header(
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
        budget=budget if pipeline.scheduler.limited else None,
        keypoint_threshold=outputs.kpt_thr,
    )
    return {**said, "angles": list(NAMES)} if outputs.angles else said


def drawing_style(options: WindowOptions) -> DrawingStyle:
    """The options as the look of the drawing."""
    return DrawingStyle(
        mirror=options.mirror,
        score_threshold=options.keypoint_threshold,
        boxes=options.boxes,
        uncertainty=options.uncertainty,
        angles=options.draw_angles,
        skeleton_only=options.skeleton_only,
    )
