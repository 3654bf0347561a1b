"""``livepose --benchmark``: how fast is the whole way of a frame, and where does the time go?

Warm-up is kept apart. Frames come from a video, or from a made scene whose images are drawn
before the clock starts. With ``--people N`` the true boxes of the scene stand in for what the
detector finds, after it has run, so that the load is the same on every machine. Figures come with
their spread over rounds: a machine that was busy for a moment shows there.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from livepose.benchmark.scene import FPS, CameraPath, WalkingPeople, endless, there_and_back
from livepose.detection import Detections, Detector
from livepose.drawing import draw_poses
from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.machine import describe_machine, peak_memory_mb
from livepose.pipeline import FRAMES_PREFETCHED, PosePipeline, Settings
from livepose.sinks.files import write_output
from livepose.sources import Excerpt, Source, open_source
from livepose.sources.source import WHOLE
from livepose.threads import prefetch

logger = logging.getLogger(__name__)

WARM_UP_FRAMES = 35
"""A second of 30 frames, in which the detector looks at every one, and some more."""
DEFAULT_FRAMES, ROUNDS = 200, 10
SCENE_WH = (640, 480)
DETECTION_MS = 0.2
"""A stage that takes less did not run a network."""
PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """What is measured: the wanted part of a source, or a made scene of that size."""

    source: str | None = None
    excerpt: Excerpt = WHOLE
    people: int | None = None
    frames: int | None = None
    size_wh: tuple[int, int] = SCENE_WH
    json: str | Path | None = None
    """Where the figures go; "-" is stdout, instead of the table."""


@dataclass(slots=True)
class Result:
    """What was measured. Times in ms; a stage has its mean, p50, p95 and p99.

    ``spread`` has median and quartiles over rounds: of the frames/s, and of the mean ms of each
    stage, under its name. ``detected_percent``: frames in which the detector looked, of 100.
    """

    scene: str
    frames: int
    size_wh: tuple[int, int]
    people_per_frame: float
    detected_percent: float
    fps: float
    crops_per_s: float
    latency_ms: dict[str, float]
    stages_ms: dict[str, dict[str, float]]
    peak_memory_mb: float
    bottleneck: str
    machine: dict[str, Any]
    notes: list[str]
    spread: dict[str, dict[str, float]]


def run_benchmark(settings: Settings, asked: BenchmarkSettings) -> None:
    """Measures, prints the table on stdout, and saves the JSON."""
    result = measure(PosePipeline(settings, offline=True), asked)
    figures = json.dumps(asdict(result), indent=2)
    if asked.json == "-":
        print(figures)
        return
    print_table(result)
    if asked.json is not None:
        write_output(asked.json, f"{figures}\n")
        logger.info(f"figures saved to {asked.json}")


def measure(pipeline: PosePipeline, asked: BenchmarkSettings) -> Result:
    """Runs the warm-up, then the measured frames."""
    source, notes = _scene_or_video(asked)
    known = KnownBoxes(pipeline, source) if isinstance(source, WalkingPeople) else None
    pipeline.warm_up(source.size_wh)
    logger.info(f"measuring on {source.name}")
    frames = _frames_of(source, asked)
    warm_up = _timed(pipeline, known, islice(frames, WARM_UP_FRAMES))
    timed = _timed(pipeline, known, frames)
    source.close()
    if not timed:
        raise SourceError(
            f"{source.name}: expected more than {WARM_UP_FRAMES} frames (the warm-up), got "
            f"{len(warm_up)}; give a longer video or none"
        )
    of_round = max(1, round((asked.frames or DEFAULT_FRAMES) / ROUNDS))
    people, latency_ms, whole_s = (np.array([one[place] for one in timed]) for place in range(3))
    names = dict.fromkeys(name for one in timed for name in one.stages_ms)
    samples_ms = {name: np.array([one.stages_ms.get(name, 0.0) for one in timed]) for name in names}
    stages_ms = {name: _figures(values) for name, values in samples_ms.items()}
    detected = samples_ms.get("detect", np.zeros(1)) > DETECTION_MS
    return Result(
        scene=source.name,
        frames=len(timed),
        size_wh=source.size_wh,
        people_per_frame=float(people.mean()),
        detected_percent=100 * float(detected.mean()),
        fps=float(1 / whole_s.mean()),
        crops_per_s=float(people.sum() / whole_s.sum()),
        latency_ms=_figures(latency_ms),
        stages_ms=stages_ms,
        peak_memory_mb=peak_memory_mb(),
        bottleneck=bottleneck(stages_ms),
        machine=describe_machine(pipeline),
        notes=notes,
        spread={"fps": spread(1 / _means(whole_s, of_round))}
        | {name: spread(_means(values, of_round)) for name, values in samples_ms.items()},
    )


def _scene_or_video(asked: BenchmarkSettings) -> tuple[Source, list[str]]:
    """The source to measure on, and what has to be said about it."""
    if asked.source is not None:
        video = open_source(asked.source, excerpt=asked.excerpt)
        return video, ["decoding of the video runs beside, and counts"]
    drawn = "the made scene was drawn before the clock started"
    if asked.people is None:
        return CameraPath(size_wh=asked.size_wh), [drawn]
    note = "the detector runs; the scene's true boxes stand in for what it finds"
    return WalkingPeople(asked.people, DEFAULT_FRAMES, asked.size_wh), [drawn, note]


def _frames_of(source: Source, asked: BenchmarkSettings) -> Iterator[Frame]:
    """Warm-up and measured frames; a made scene is drawn first and repeated as needed."""
    wanted = WARM_UP_FRAMES + (asked.frames or DEFAULT_FRAMES)
    if asked.source is None:
        return islice(endless(list(source), source.fps or FPS), wanted)
    return islice(prefetch(source, FRAMES_PREFETCHED), wanted if asked.frames else None)


class KnownBoxes(Detector):
    """Lets the detector run, then answers with the boxes of a made scene."""

    def __init__(self, pipeline: PosePipeline, scene: WalkingPeople) -> None:
        self._scene = scene
        self._inner: Detector | None = pipeline.detector
        self.name = "known boxes" if self._inner is None else self._inner.name
        self.index = 0
        pipeline.detector = self

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """What the scene knows, at the cost of the detector."""
        if self._inner is not None:
            self._inner(images_bgr)
        boxes = self._scene.boxes_xyxy(there_and_back(self.index, self._scene.frame_count))
        return [Detections(boxes, np.full(len(boxes), 0.9)) for _ in images_bgr]


class Timed(NamedTuple):
    """A frame that was followed and drawn: ``latency_ms`` from frame to poses, ``whole_s`` with
    drawing and with waiting for it, ``stages_ms`` what the clock says.
    """

    people: int
    latency_ms: float
    whole_s: float
    stages_ms: dict[str, float]


def _timed(
    pipeline: PosePipeline, known: KnownBoxes | None, frames: Iterable[Frame]
) -> list[Timed]:
    """All frames through the pipeline, one after the other."""
    timed, clock = [], pipeline.clock
    start_s = time.perf_counter()
    for frame in frames:
        began_s = time.perf_counter()
        if known is not None:
            known.index = frame.index
        poses = pipeline.process(frame.image_bgr, frame.time_s)
        posed_s = time.perf_counter()
        draw_poses(frame.image_bgr.copy(), poses)
        end_s = time.perf_counter()
        stages_ms = clock.frames_ms[-1] | {"draw": 1e3 * (end_s - posed_s)}
        timed.append(Timed(len(poses), 1e3 * (posed_s - began_s), end_s - start_s, stages_ms))
        start_s = time.perf_counter()
    return timed


def _means(values: Any, of_round: int) -> Any:
    """The mean of each round of so many frames; the last may be shorter."""
    starts = np.arange(0, len(values), of_round)
    return np.add.reduceat(values, starts) / np.diff([*starts, len(values)])


def spread(samples: Any) -> dict[str, float]:
    """Median, quartiles and number of some samples; NaN where there are none."""
    values = np.percentile(samples, (50, 25, 75)) if len(samples) else np.full(3, np.nan)
    median, q1, q3 = (round(float(value), 4) for value in values)
    return {"median": median, "q1": q1, "q3": q3, "count": len(samples)}


def _figures(samples_ms: Any) -> dict[str, float]:
    """Mean, p50, p95 and p99 of some samples."""
    values = [np.mean(samples_ms), *np.percentile(samples_ms, list(PERCENTILES.values()))]
    names = ("mean", *PERCENTILES)
    return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}


def bottleneck(stages_ms: Mapping[str, Mapping[str, float]]) -> str:
    """One sentence that names the stage that takes most of the time.

    By the mean, because a detector that rests in most frames has a median of nothing.
    """
    means = {name: stage["mean"] for name, stage in stages_ms.items()}
    name, share = max(means, key=means.__getitem__), 100 / (sum(means.values()) or 1.0)
    return (
        f"the bottleneck is {name}: {means[name]:.1f} ms a frame,"
        f" {share * means[name]:.0f} % of the time"
    )


def print_table(result: Result) -> None:
    """Stages, totals, the machine, and the sentence on the bottleneck, on stdout."""
    width, height = result.size_wh
    table = Table(title=f"{result.scene}, {width}x{height}, {result.frames} frames")
    table.add_column("stage")
    for name in result.latency_ms:
        table.add_column(f"{name} ms", justify="right")
    for stage, values in result.stages_ms.items():
        table.add_row(stage, *(f"{value:.2f}" for value in values.values()))
    table.add_section()
    table.add_row("frame to poses", *(f"{value:.2f}" for value in result.latency_ms.values()))
    console = Console()
    console.print(table)
    console.print(
        f"{result.fps:.1f} frames/s end to end, {result.crops_per_s:.1f} crops/s, "
        f"{result.people_per_frame:.2f} people a frame, the detector looked at "
        f"{result.detected_percent:.0f} % of the frames, "
        f"peak memory {result.peak_memory_mb:.0f} MB"
    )
    for name, value in [*result.machine.items(), *(("note", note) for note in result.notes)]:
        console.print(f"{name}: {value}", highlight=False)
    console.print(result.bottleneck, style="bold", highlight=False)
