"""Cost curves: frames/s and age of the image against people, frame size, detection interval.

Against people also with a budget of time (``--target-fps``), which takes people in turns.

Frames/s: as quick as it goes, drawing included. Age: a camera of 30 frames/s is played in real
time and only its newest frame is taken, as in live use; the age is the time from capture until the
drawn image is ready. The detector runs, and the scene's true boxes stand in for what it finds,
so that the load is what the axis says.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.plan import Plan
from benchmarks.rounds import Length, Livepose, TimedRun
from livepose.benchmark.run import KnownBoxes, spread
from livepose.benchmark.scene import FPS, WalkingPeople, endless, there_and_back
from livepose.frame import Frame
from livepose.pipeline import PosePipeline, Settings

logger = logging.getLogger(f"livepose.{__name__}")
Size = tuple[int, int]

PEOPLE = (0, 1, 2, 4, 8, 12, 16)
SIZES_WH: tuple[Size, ...] = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))
INTERVALS: tuple[int | None, ...] = (1, 2, 4, 8, 16, None)
CURVES = ("people", "budget", "size", "interval")
TARGET_FPS = 15.0
CROWDS = (1, 4, 10, 16)
"""Numbers of people at which the budget is tried."""
USUAL_WH, USUAL_PEOPLE = SIZES_WH[0], 2
MOST_PIXELS = 120_000_000
"""Of a scene that is drawn beforehand: 4K has fewer frames."""
ROUNDS = 4
WARM_UP_FRAMES = 4
SETTLED_S = 2.0


@dataclass(frozen=True, slots=True)
class Point:
    """What is measured at one place of a curve."""

    people: int = USUAL_PEOPLE
    size_wh: Size = USUAL_WH
    detect_every: int | None = None
    target_fps: float | None = None


class Aged:
    """A system whose frames carry their time of capture: notes how old each became."""

    def __init__(self, run: Livepose) -> None:
        self.ages_ms: list[float] = []
        self._run = run

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        """One frame, and its age once drawn."""
        found = self._run.take(frame)
        if frame.captured_s is not None:
            self.ages_ms.append((time.perf_counter() - frame.captured_s) * 1e3)
        return found


def points(name: str, plan: Plan) -> list[tuple[int | str, Point]]:
    """What is measured for a curve, with its place on the axis."""
    if name == "people":
        return [(n, Point(people=n)) for n in chosen(PEOPLE, plan)]
    if name == "budget":
        return [(n, Point(people=n, target_fps=TARGET_FPS)) for n in chosen(CROWDS, plan)]
    if name == "size":
        return [(f"{w}x{h}", Point(size_wh=(w, h))) for w, h in chosen(SIZES_WH, plan)]
    return [(every or "adaptive", Point(detect_every=every)) for every in chosen(INTERVALS, plan)]


def measure_curve(name: str, plan: Plan) -> dict[str, Any]:
    """One of CURVES."""
    pipelines = Pipelines()
    rows = []
    for label, point in points(name, plan):
        logger.info(f"curve {name}: {label}")
        rows.append({"at": label} | measure_point(pipelines.of(point), point, plan))
    return {"points": rows}


class Pipelines(dict[tuple[int | None, float | None], PosePipeline]):
    """One for each choice of settings, opened when it is first needed."""

    def of(self, point: Point) -> PosePipeline:
        """The pipeline for this point."""
        key = (point.detect_every, point.target_fps)
        if key not in self:
            settings = Settings(device="cpu", detect_every=key[0], target_fps=key[1])
            self[key] = PosePipeline(settings)
        return self[key]


def chosen(values: Sequence[Any], plan: Plan) -> Sequence[Any]:
    """All of them, or the first two where it has to be quick."""
    return values[:2] if plan.quick else values


def measure_point(pipeline: PosePipeline, point: Point, plan: Plan) -> dict[str, Any]:
    """Frames/s, then age."""
    scene = scene_of(point, plan)
    drawn = list(scene)
    detector = pipeline.detector
    pipeline.warm_up(point.size_wh)
    try:
        run = Livepose(pipeline, KnownBoxes(pipeline, scene))
        settle(run, drawn)
        quick = TimedRun(run, endless(drawn))
        quick.warm_up(WARM_UP_FRAMES)
        for _ in range(ROUNDS):
            quick.round(Length(most=-(-plan.curve_frames // ROUNDS), seconds=plan.curve_s / ROUNDS))
        pipeline.reset()
        settle(run, drawn)
        aged = Aged(run)
        live = TimedRun(aged, paced(drawn, FPS))
        live.warm_up(WARM_UP_FRAMES)
        aged.ages_ms.clear()
        live.round(Length(most=plan.curve_frames, seconds=plan.curve_s))
    finally:
        pipeline.detector = detector
    return {
        "fps": spread(quick.rounds_fps),
        "age_ms": spread(aged.ages_ms),
        "people_found": float(np.mean(quick.people)),
    }


def settle(run: Livepose, drawn: Sequence[Frame]) -> None:
    """One frame well before the others: the first second, in which the detector looks at every
    frame, has passed when they come.
    """
    run.take(Frame(drawn[0].image_bgr, -SETTLED_S, 0))


def scene_of(point: Point, plan: Plan) -> WalkingPeople:
    """A scene of so many frames as memory allows."""
    width, height = point.size_wh
    frames = min(plan.scene_frames, max(2, MOST_PIXELS // (width * height)))
    return WalkingPeople(point.people, frames, point.size_wh)


def paced(drawn: Sequence[Frame], fps: float) -> Iterator[Frame]:
    """A camera of ``fps``, as it comes to somebody who takes the newest frame only.

    Frames that nobody took are gone; nobody gets a frame twice.
    """
    start_s, last = time.perf_counter(), -1
    while True:
        index = int((time.perf_counter() - start_s) * fps)
        if index == last:
            time.sleep(max(0.0, start_s + (last + 1) / fps - time.perf_counter()))
            index = last + 1
        image_bgr = drawn[there_and_back(index, len(drawn))].image_bgr
        yield Frame(image_bgr, index / fps, index, start_s + index / fps, index - last - 1)
        last = index
