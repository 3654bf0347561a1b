"""Opens networks and outputs, plays a source, and says what was done."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from livepose import drawing
from livepose.cli.progress import frame_progress
from livepose.cli.run_options import RunOptions, beside
from livepose.cli.start import Networks, Stream
from livepose.multistream import PoseService
from livepose.pipeline import STAGES, PosePipeline
from livepose.player import Player
from livepose.results.angles import NAMES, each_of
from livepose.results.motion_files import MotSink, TrcSink
from livepose.results.tables import CsvSink, ParquetSink
from livepose.sinks.annotations import CocoDatasetSink, CocoSink, OpenPoseSink, YoloPoseSink
from livepose.sinks.files import parse_rotation
from livepose.sinks.images import ImageSink, SheetSink
from livepose.sinks.jsonl import JsonLinesSink, make_header
from livepose.sinks.sink import Sink
from livepose.sinks.video import VideoSink
from livepose.smoothing import COSTS
from livepose.sources import Source, VideoSource

logger = logging.getLogger(__name__)
USUAL_WH = (640, 480)
"""What is prepared for where no frame has come."""


def open_networks(
    options: RunOptions, sources: Sequence[Source], told: Callable[[str], None]
) -> Networks:
    """The networks, warm, for one source or for several that share them.

    ``told`` hears of each part that is ready.
    """
    sizes_wh = [source.size_wh for source in sources if source.size_wh[0]] or [USUAL_WH]
    with warming_up(options.draws()):
        if len(sources) > 1:
            service = PoseService(options.settings, told=told)
            service.warm_up(sizes_wh)
            return service.stream
        pipeline = PosePipeline(options.settings, told=told)
        pipeline.warm_up(sizes_wh[0], live=sources[0].live)
    if sources[0].kind != "images":  # images stand for themselves
        smooth = options.settings.smooth
        logger.info(f"smoothing: {smooth} ({COSTS[smooth]})")
    return lambda: nullcontext(pipeline)


@contextmanager
def warming_up(draws: bool) -> Iterator[None]:
    """Says that it takes a while, and how long it took; drawing gets ready beside it."""
    logger.info("warming up (a first start compiles, for up to a minute) ...")
    start_s = time.perf_counter()
    # What fails in it fails again, and is told, at the first image.
    drawn = [ThreadPoolExecutor(1, "drawing").submit(drawing.warm_up)] if draws else []
    yield
    wait(drawn)
    logger.info(f"ready after {time.perf_counter() - start_s:.1f} s")


def play(stream: Stream, pipeline: PosePipeline, alone: bool) -> None:
    """Plays a source to its end; ``alone`` it has a progress bar and a full sentence."""
    source, output = stream.source, stream.options.outputs.output
    stream.player = player = open_player(stream, pipeline)
    if stream.stopped:
        player.stop()
    watched = alone and not source.live and stream.window is None
    with frame_progress(source.frame_count) if watched else nullcontext() as player.progress:
        done = player.play()
    frames = "1 frame" if done.frames == 1 else f"{done.frames} frames"
    if not alone:
        logger.info(f"{source.name}: {frames}, {done.fps:.1f} fps")
        return
    said = f"{frames} in {done.duration_s:.1f} s ({done.fps:.1f} fps)"
    if done.dropped:
        said += f", {done.dropped} dropped"
    if done.dropped_work:
        said += f"; to hold the budget: {', '.join(done.dropped_work)}"
    logger.info(said if output is None else f"{said}; written to {output}")


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
    player = Player(pipeline, stream.source, sinks, stream.window, stream.options.style)
    player.export_threshold = stream.options.outputs.kpt_thr
    return player


def _files(stream: Stream, pipeline: PosePipeline, said: dict[str, Any]) -> Iterator[Sink]:
    """Every file that the options ask for."""
    asked, rotated = stream.options.outputs, stream.options.sources.rotation
    stem = Path(stream.source.name).stem or "livepose"
    over: dict[str, Any] = {"overwrite": asked.overwrite}
    lines = {**over, "rotation": parse_rotation(rotated) if rotated else None}
    json = {**lines, "slim": asked.slim, "each": each_of(said)}
    scheduler = pipeline.scheduler
    dropped = (lambda: {"given_up": asdict(scheduler.dropped_work)}) if scheduler.limited else None
    tables: list[tuple[Any, Callable[[Any], Sink]]] = [
        (asked.output, lambda path: _drawn_sink(path, stream)),
        (asked.json, lambda path: JsonLinesSink(path, said, dropped, **json)),
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


def _drawn_sink(path: Path, stream: Stream) -> Sink:
    """Where drawn images go: images as images, everything else as a video."""
    source, overwrite = stream.source, stream.options.outputs.overwrite
    if source.kind == "images":
        return ImageSink(path, overwrite=overwrite)
    if isinstance(source, VideoSource) and source.path is None:
        logger.info(f"{source.name} is a pipe, which is read once: {path} has no sound")
    return VideoSink(
        path,
        audio_from=source.path,
        fps=source.fps,
        from_first_frame=stream.options.sources.start_s > 0,
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
        lambda: {name: pipeline.clock.median_ms(name) for name in STAGES},
        lambda: int(getattr(source, "reconnects", 0)),
    )
    stream.healths.append(health)
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
