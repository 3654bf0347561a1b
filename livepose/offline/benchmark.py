"""``livepose --benchmark``: how fast is the whole way of a frame, and where does the time go?

Warm-up is kept apart. Frames come from a video, or from a made scene whose pictures are drawn
before the clock starts. With ``--people N`` the true boxes of the scene stand in for what the
detector finds, after it has run, so that the load is the same on every machine.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from livepose.detector import Detections, Detector
from livepose.drawing import draw_poses
from livepose.errors import SinkError, SourceError
from livepose.frame import Frame, ImageBgr
from livepose.offline.machine import describe_machine, peak_memory_mb
from livepose.offline.scene import CameraPath, WalkingPeople
from livepose.pipeline import PosePipeline, Settings
from livepose.sources import Source, open_source

WARM_UP_FRAMES = 20
DEFAULT_FRAMES = 200
MOST_FRAMES = 100_000
PERCENTILES = (50.0, 95.0, 99.0)
FIGURES = ("mean", "p50", "p95", "p99")

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is measured."""

    source: str | None = None
    people: int | None = None
    frames: int | None = None
    json_path: Path | None = None


@dataclass(slots=True)
class Result:
    """What was measured. Times in ms; a stage has its mean, p50, p95 and p99."""

    scene: str
    frames: int
    size_wh: tuple[int, int]
    people_per_frame: float
    fps: float
    crops_per_s: float
    latency_ms: dict[str, float]
    stages_ms: dict[str, dict[str, float]]
    peak_memory_mb: float
    bottleneck: str
    machine: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def run_benchmark(settings: Settings, choice: Choice, report: Report) -> int:
    """Measures, prints the table on stdout, saves the JSON; returns the exit code."""
    pipeline = PosePipeline(settings, report=report)
    result = measure(pipeline, choice, report)
    from livepose.offline.benchmark_table import print_table

    print_table(result)
    if choice.json_path is not None:
        save(result, choice.json_path)
        report(f"figures saved to {choice.json_path}")
    return 0


def measure(pipeline: PosePipeline, choice: Choice, report: Report) -> Result:
    """Runs the warm-up, then the measured frames."""
    source, notes = scene_or_video(choice)
    known = KnownBoxes(pipeline, source) if isinstance(source, WalkingPeople) else None
    pipeline.warm_up(source.size_wh)
    report(f"measuring on {source.name}")
    run = Run(pipeline, known)
    for frame in frames_of(source, choice, report):
        run.take(frame)
    source.close()
    if run.measured == 0:
        raise SourceError(
            f"{source.name}: expected more than {WARM_UP_FRAMES} frames (the warm-up), got "
            f"{run.seen}; give a longer video or none"
        )
    return run.result(source.name, notes)


def scene_or_video(choice: Choice) -> tuple[Source, list[str]]:
    """The source to measure on, and what has to be said about it."""
    if choice.source is not None:
        return open_source(choice.source), ["decoding of the video runs beside, and counts"]
    if choice.people is None:
        return CameraPath(), ["the made scene was drawn before the clock started"]
    scene = WalkingPeople(choice.people, DEFAULT_FRAMES)
    note = "the detector runs; the scene's true boxes stand in for what it finds"
    return scene, ["the made scene was drawn before the clock started", note]


def frames_of(source: Source, choice: Choice, report: Report) -> Iterator[Frame]:
    """Warm-up and measured frames; a made scene is drawn first and repeated as needed."""
    wanted = WARM_UP_FRAMES + (choice.frames or DEFAULT_FRAMES)
    if choice.source is not None:
        limit = wanted if choice.frames else None
        yield from _limited(source, limit)
        return
    drawn = list(source)
    for index in range(wanted):
        frame = drawn[index % len(drawn)]
        yield Frame(frame.image_bgr, index / (source.fps or 30.0), index)


def _limited(source: Source, limit: int | None) -> Iterator[Frame]:
    from livepose.pipeline import FRAMES_AHEAD
    from livepose.threads import ahead

    for count, frame in enumerate(ahead(source, FRAMES_AHEAD)):
        if limit is not None and count >= limit:
            return
        yield frame


class KnownBoxes:
    """Lets the detector run, then answers with the boxes of a made scene."""

    def __init__(self, pipeline: PosePipeline, scene: WalkingPeople) -> None:
        self._scene = scene
        self._inner: Detector | None = pipeline.detector
        self.name = "known boxes" if self._inner is None else self._inner.name
        self.index = 0
        pipeline.detector = self

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """What the scene knows, at the price of the detector."""
        if self._inner is not None:
            self._inner(images_bgr)
        boxes = self._scene.boxes_xyxy(self.index % self._scene.frame_count)
        return [Detections(boxes, np.full(len(boxes), 0.9)) for _ in images_bgr]


class Run:
    """The measured frames, one by one."""

    def __init__(self, pipeline: PosePipeline, known: KnownBoxes | None) -> None:
        self._pipeline = pipeline
        self._known = known
        self._latency_ms: list[float] = []
        self._samples: dict[str, list[float]] = {}
        self._people = 0
        self._start_s = 0.0
        self._end_s = 0.0
        self._size_wh = (0, 0)
        self.seen = 0

    @property
    def measured(self) -> int:
        """Frames measured so far, the warm-up left out."""
        return max(0, self.seen - WARM_UP_FRAMES)

    def take(self, frame: Frame) -> None:
        """One frame: found, followed, drawn."""
        if self.seen == WARM_UP_FRAMES:
            self._begin()
        start_s = time.perf_counter()
        if self._known is not None:
            self._known.index = frame.index
        poses = self._pipeline.process(frame.image_bgr, frame.time_s)
        posed_s = time.perf_counter()
        draw_poses(frame.image_bgr.copy(), poses)
        self._end_s = time.perf_counter()
        self._latency_ms.append((posed_s - start_s) * 1e3)
        self._samples.setdefault("draw", []).append((self._end_s - posed_s) * 1e3)
        self._people += len(poses)
        self._size_wh = frame.size_wh
        self.seen += 1

    def _begin(self) -> None:
        self._pipeline.clock.clear(window=MOST_FRAMES)
        self._latency_ms.clear()
        self._samples.clear()
        self._people = 0
        self._start_s = time.perf_counter()

    def result(self, scene: str, notes: list[str]) -> Result:
        """The figures."""
        clock = self._pipeline.clock
        stages = {
            name: named([clock.mean_ms(name), *clock.percentiles_ms(name, *PERCENTILES)])
            for name in clock.names()
        }
        stages["draw"] = figures(self._samples["draw"])
        seconds = self._end_s - self._start_s
        return Result(
            scene=scene,
            frames=self.measured,
            size_wh=self._size_wh,
            people_per_frame=self._people / self.measured,
            fps=self.measured / seconds,
            crops_per_s=self._people / seconds,
            latency_ms=figures(self._latency_ms),
            stages_ms=stages,
            peak_memory_mb=peak_memory_mb(),
            bottleneck=bottleneck(stages),
            machine=describe_machine(self._pipeline),
            notes=notes,
        )


def named(values: Sequence[float]) -> dict[str, float]:
    """Mean, p50, p95 and p99 by name."""
    return {name: round(value, 3) for name, value in zip(FIGURES, values, strict=True)}


def figures(samples_ms: Sequence[float]) -> dict[str, float]:
    """Mean, p50, p95 and p99 of some samples."""
    percentiles = np.percentile(samples_ms, PERCENTILES)
    return named([float(np.mean(samples_ms)), *(float(value) for value in percentiles)])


def bottleneck(stages_ms: dict[str, dict[str, float]]) -> str:
    """One sentence that names the stage that takes most of the time.

    By the mean, because a detector that rests in most frames has a median of nothing.
    """
    total = sum(stage["mean"] for stage in stages_ms.values())
    name, stage = max(stages_ms.items(), key=lambda item: item[1]["mean"])
    share = 100 * stage["mean"] / total if total > 0 else 0.0
    return f"the bottleneck is {name}: {stage['mean']:.1f} ms a frame, {share:.0f} % of the time"


def save(result: Result, path: Path) -> None:
    """The figures as JSON.

    Raises
    ------
    SinkError
        When the file cannot be written.
    """
    try:
        path.write_text(json.dumps(asdict(result), indent=2) + "\n")
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error
