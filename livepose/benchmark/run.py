"""``livepose --benchmark``: how fast is the whole way of a frame, and where does the time go?

Warm-up is kept apart. Frames come from a video, or from a made scene whose pictures are drawn
before the clock starts. With ``--people N`` the true boxes of the scene stand in for what the
detector finds, after it has run, so that the load is the same on every machine.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from livepose.benchmark.rounds import Length, TimedRun, spread
from livepose.benchmark.scene import FPS, CameraPath, WalkingPeople, endless, there_and_back
from livepose.detection import Detections, Detector
from livepose.drawing import draw_poses
from livepose.errors import SinkError, SourceError
from livepose.frame import Frame, ImageBgr
from livepose.machine import describe_machine, peak_memory_mb
from livepose.pipeline import FRAMES_PREFETCHED, PosePipeline, Settings
from livepose.sources import Excerpt, Source, open_source
from livepose.sources.source import WHOLE
from livepose.threads import prefetch

logger = logging.getLogger(__name__)

WARM_UP_FRAMES = 35
"""A second of 30 frames, in which the detector looks at every one, and some more."""
DEFAULT_FRAMES = 200
MOST_FRAMES = 100_000
SCENE_WH = (640, 480)
ROUNDS = 10
"""Measured frames fall into this number of rounds, whose spread is the noise of the figures."""
FRAMES_PER_ROUND = 20
"""... or into rounds of this length where a video's length is not known."""
LOOKED_MS = 0.2
"""A stage that takes less did not run a network."""
PERCENTILES = (50.0, 95.0, 99.0)
FIGURES = ("mean", "p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """What is measured."""

    source: str | None = None
    excerpt: Excerpt = WHOLE
    """The part of the source that is wanted."""
    people: int | None = None
    frames: int | None = None
    size_wh: tuple[int, int] = SCENE_WH
    """Of a made scene."""
    json_path: Path | None = None
    compare: Path | None = None
    """Figures of an earlier run; what became slower by more than ``limit`` is a failure."""
    limit: float = 0.1


@dataclass(slots=True)
class Result:
    """What was measured. Times in ms; a stage has its mean, p50, p95 and p99.

    ``spread`` has median and quartiles over rounds: of the frames/s, and of the mean ms of each
    stage, under its name.
    """

    scene: str
    frames: int
    size_wh: tuple[int, int]
    people_per_frame: float
    looked_percent: float
    """Frames in which the detector looked, of 100."""
    fps: float
    crops_per_s: float
    latency_ms: dict[str, float]
    stages_ms: dict[str, dict[str, float]]
    peak_memory_mb: float
    bottleneck: str
    machine: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    spread: dict[str, dict[str, float]] = field(default_factory=dict)


def run_benchmark(settings: Settings, asked: BenchmarkSettings) -> None:
    """Measures, prints the table on stdout, and saves the JSON.

    Raises
    ------
    GateError
        When something became slower than in the figures to compare with.
    """
    from livepose.benchmark.compare import compare, read_figures

    # The old figures first: a wrong path is said at once, and --json may write over them.
    old = None if asked.compare is None else read_figures(asked.compare)
    pipeline = PosePipeline(settings, offline=True)
    result = measure(pipeline, asked)
    print_table(result)
    figures = json.dumps(asdict(result), indent=2)
    if (path := asked.json_path) is not None:
        try:
            path.write_text(figures + "\n")
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror}") from error
        logger.info(f"figures saved to {path}")
    if old is not None:
        compare(old, json.loads(figures), asked.limit)


def measure(pipeline: PosePipeline, asked: BenchmarkSettings) -> Result:
    """Runs the warm-up, then the measured frames."""
    source, notes = scene_or_video(asked)
    known = KnownBoxes(pipeline, source) if isinstance(source, WalkingPeople) else None
    pipeline.warm_up(source.size_wh)
    logger.info(f"measuring on {source.name}")
    run = Run(pipeline, known)
    timed_run = TimedRun(run, frames_of(source, asked))
    seen = timed_run.warm_up(WARM_UP_FRAMES)
    run.begin()
    unknown = asked.source is not None and asked.frames is None
    per_round = max(1, round((asked.frames or DEFAULT_FRAMES) / ROUNDS))
    while timed_run.round(Length.of(FRAMES_PER_ROUND if unknown else per_round)):
        run.end_round()
    source.close()
    if not timed_run.frames:
        raise SourceError(
            f"{source.name}: expected more than {WARM_UP_FRAMES} frames (the warm-up), got "
            f"{seen}; give a longer video or none"
        )
    return run.result(timed_run, source.name, notes)


def scene_or_video(asked: BenchmarkSettings) -> tuple[Source, list[str]]:
    """The source to measure on, and what has to be said about it."""
    if asked.source is not None:
        video = open_source(asked.source, excerpt=asked.excerpt)
        return video, ["decoding of the video runs beside, and counts"]
    drawn = "the made scene was drawn before the clock started"
    if asked.people is None:
        return CameraPath(size_wh=asked.size_wh), [drawn]
    note = "the detector runs; the scene's true boxes stand in for what it finds"
    return WalkingPeople(asked.people, DEFAULT_FRAMES, asked.size_wh), [drawn, note]


def frames_of(source: Source, asked: BenchmarkSettings) -> Iterator[Frame]:
    """Warm-up and measured frames; a made scene is drawn first and repeated as needed."""
    wanted = WARM_UP_FRAMES + (asked.frames or DEFAULT_FRAMES)
    if asked.source is None:
        return islice(endless(list(source), source.fps or FPS), wanted)
    return islice(prefetch(source, FRAMES_PREFETCHED), wanted if asked.frames else None)


class KnownBoxes:
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


class Run:
    """The pipeline as a system: each frame found, followed, and drawn unless that is left."""

    def __init__(
        self, pipeline: PosePipeline, known: KnownBoxes | None = None, draw: bool = True
    ) -> None:
        self.pipeline = pipeline
        self._known = known
        self._draw = draw
        self._latency_ms: list[float] = []
        self._draw_ms: list[float] = []
        self._size_wh = (0, 0)
        self._round_ms: dict[str, list[float]] = {}
        self._samples: dict[str, list[float]] = {}

    def before_round(self) -> None:
        """Nothing: the pipeline runs in the process as it is."""

    def begin(self) -> None:
        """The warm-up is over: what was timed so far is forgotten."""
        self.pipeline.clock.clear(window=MOST_FRAMES)
        self._latency_ms.clear()
        self._draw_ms.clear()

    def take(self, frame: Frame) -> int:
        """One frame; how many people are in it."""
        start_s = time.perf_counter()
        if self._known is not None:
            self._known.index = frame.index
        poses = self.pipeline.process(frame.image_bgr, frame.time_s)
        posed_s = time.perf_counter()
        self._latency_ms.append((posed_s - start_s) * 1e3)
        if self._draw:
            draw_poses(frame.image_bgr.copy(), poses)
            self._draw_ms.append((time.perf_counter() - posed_s) * 1e3)
        self._size_wh = frame.size_wh
        return len(poses)

    def looked_percent(self) -> float:
        """Frames in which the detector looked, of 100, since the warm-up."""
        return looked_percent(self.pipeline.clock.samples_ms("detect"))

    def end_round(self) -> None:
        """What the clock says of the stages since the last round becomes one sample of each."""
        clock = self.pipeline.clock
        samples = {name: clock.samples_ms(name) for name in clock.names()}
        samples["draw"] = list(self._draw_ms)
        frames = max(map(len, samples.values()), default=0)
        for name, values in samples.items():
            # Frames in which a stage is not entered take nothing of it.
            values += [0.0] * (frames - len(values) if values else 0)
            self._samples.setdefault(name, []).extend(values)
            if values:
                self._round_ms.setdefault(name, []).append(float(np.mean(values)))
        clock.clear()
        self._draw_ms.clear()

    def result(self, timed_run: TimedRun, scene: str, notes: list[str]) -> Result:
        """The figures."""
        stages = {name: figures(values) for name, values in self._samples.items() if values}
        people = sum(timed_run.people)
        return Result(
            scene=scene,
            frames=timed_run.frames,
            size_wh=self._size_wh,
            people_per_frame=people / timed_run.frames,
            looked_percent=looked_percent(self._samples.get("detect", [])),
            fps=timed_run.frames / timed_run.seconds,
            crops_per_s=people / timed_run.seconds,
            latency_ms=figures(self._latency_ms),
            stages_ms=stages,
            peak_memory_mb=peak_memory_mb(),
            bottleneck=bottleneck(stages),
            machine=describe_machine(self.pipeline),
            notes=notes,
            spread={"fps": timed_run.fps().as_dict()}
            | {name: spread(values).as_dict() for name, values in self._round_ms.items()},
        )


def looked_percent(detect_ms: Sequence[float]) -> float:
    """Frames in which the detector looked, of 100: in the others its stage takes no time."""
    return 100 * float(np.mean(np.asarray(detect_ms) > LOOKED_MS)) if len(detect_ms) else 0.0


def figures(samples_ms: Sequence[float]) -> dict[str, float]:
    """Mean, p50, p95 and p99 of some samples."""
    values = [np.mean(samples_ms), *np.percentile(samples_ms, PERCENTILES)]
    return {name: round(float(value), 3) for name, value in zip(FIGURES, values, strict=True)}


def bottleneck(stages_ms: dict[str, dict[str, float]]) -> str:
    """One sentence that names the stage that takes most of the time.

    By the mean, because a detector that rests in most frames has a median of nothing.
    """
    total = sum(stage["mean"] for stage in stages_ms.values())
    name, stage = max(stages_ms.items(), key=lambda item: item[1]["mean"])
    share = 100 * stage["mean"] / total if total > 0 else 0.0
    return f"the bottleneck is {name}: {stage['mean']:.1f} ms a frame, {share:.0f} % of the time"


def print_table(result: Result) -> None:
    """Stages, totals, the machine, and the sentence on the bottleneck, on stdout."""
    width, height = result.size_wh
    table = Table(title=f"{result.scene}, {width}x{height}, {result.frames} frames")
    table.add_column("stage")
    for name in FIGURES:
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
        f"{result.looked_percent:.0f} % of the frames, "
        f"peak memory {result.peak_memory_mb:.0f} MB"
    )
    for name, value in [*result.machine.items(), *(("note", note) for note in result.notes)]:
        console.print(f"{name}: {value}", highlight=False)
    console.print(result.bottleneck, style="bold", highlight=False)
