"""Livepose, YOLO11n-pose and the straightforward way in turn, on one scene and one card."""

import gc
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.plan import Plan
from benchmarks.rounds import TimedRun, in_turn
from livepose.benchmark.run import spread
from livepose.detection import Detections, Detector, open_detector
from livepose.detection.cuda_engine import CudaEngine
from livepose.detection.torch_engine import TorchEngine
from livepose.detection.yolo import YoloDetector
from livepose.errors import LiveposeError
from livepose.estimator import PoseEstimator
from livepose.frame import Frame, ImageBgr
from livepose.pipeline import PosePipeline, Settings
from livepose.runtimes.cuda import BATCH_SIZES, CudaRuntime
from livepose.runtimes.eager import TorchRuntime
from livepose.weights import Card

logger = logging.getLogger(f"livepose.{__name__}")

SIZE_WH = (1280, 720)
PEOPLE = (1, 4, 10)
FPS = 30.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The pose network that is measured, and where."""

    network: nn.Module
    card: Card
    device: str
    sizes: tuple[int, ...] = BATCH_SIZES
    detector: str = "auto"

    @property
    def precision(self) -> str:
        """Half on a GPU; the processor only rehearses."""
        return "f16" if self.device.startswith("cuda") else "f32"

    def runtime(self) -> CudaRuntime:
        """A fresh runtime."""
        return CudaRuntime(self.network, self.card, self.device, self.precision, self.sizes)


class Crowd:
    """People-sized blots before a textured background, whose boxes are known; always the same."""

    def __init__(self, people: int, frame_count: int, size_wh: tuple[int, int] = SIZE_WH) -> None:
        self.people, self.frame_count, self.size_wh = people, frame_count, size_wh
        random = np.random.default_rng(people)
        small = random.integers(40, 200, (size_wh[1] // 16, size_wh[0] // 16, 3), np.uint8)
        enlarged = cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC)
        self._background_bgr = np.asarray(enlarged, dtype=np.uint8)

    def boxes_xyxy(self, index: int) -> Any:
        """Where they are at this frame, (people, 4)."""
        width, height = self.size_wh
        tall = height * (0.8 if self.people <= 4 else 0.5)
        boxes = np.empty((self.people, 4))
        for n in range(self.people):
            x = (n + 0.5) / self.people * width + 20 * np.sin(index / FPS * (0.8 + 0.1 * n))
            boxes[n] = x - 0.2 * tall, 0.9 * height - tall, x + 0.2 * tall, 0.9 * height
        return boxes

    def image(self, index: int) -> ImageBgr:
        """The picture at this frame."""
        image = self._background_bgr.copy()
        for left, top, right, bottom in self.boxes_xyxy(index).round().astype(int):
            centre = ((left + right) // 2, (top + bottom) // 2)
            axes = ((right - left) // 2, (bottom - top) // 2)
            cv2.ellipse(image, centre, axes, 0, 0, 360, (90, 120, 200), -1)
        return image

    def frames(self) -> Iterator[Frame]:
        """To and fro without end; drawn beforehand."""
        drawn = [self.image(index) for index in range(self.frame_count)]
        index = 0
        while True:
            yield Frame(drawn[index % self.frame_count], index / FPS, index)
            index += 1


class KnownPeople:
    """A detector that runs, where there is one, and then says what the scene knows."""

    def __init__(self, scene: Crowd, inner: Detector | None) -> None:
        self._scene, self._inner = scene, inner
        self.name = "known boxes" if inner is None else f"{inner.name}, then known boxes"
        self.index = 0

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The scene's boxes, at the price of the detector."""
        if self._inner is not None:
            self._inner(images_bgr)
        boxes = self._scene.boxes_xyxy(self.index % self._scene.frame_count)
        return [Detections(boxes, np.full(len(boxes), 0.9)) for _ in images_bgr]


class Livepose:
    """The pipeline as a system: from a frame in memory to smoothed poses."""

    def __init__(self, subject: Subject, scene: Crowd) -> None:
        estimator = PoseEstimator(subject.runtime())
        self.known = KnownPeople(scene, detector_of(subject, estimator))
        self.pipeline = PosePipeline(Settings(), networks=(estimator, self.known))
        self.pipeline.warm_up(scene.size_wh)

    def held_mib(self) -> float | None:
        """What it holds of the GPU's memory; None on the processor."""
        gpu = self.pipeline.estimator.gpu
        return None if gpu is None else gpu.held_mib()

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        """People of one frame."""
        self.known.index = frame.index
        return len(self.pipeline.process(frame.image_bgr, frame.time_s))


class CropByCrop:
    """The straightforward way: detector on every frame, eager torch in f32, crop by crop."""

    def __init__(self, subject: Subject, scene: Crowd) -> None:
        runtime = TorchRuntime(subject.network, subject.card, subject.device, "f32")
        self._estimator = PoseEstimator(runtime)
        self._known = KnownPeople(scene, eager(detector_of(subject, None)))

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        """People of one frame."""
        self._known.index = frame.index
        [found] = self._known([frame.image_bgr])
        for box in found.boxes_xyxy:
            self._estimator.estimate(frame.image_bgr, box[None])
        return len(found)


class YoloPose:
    """ultralytics' YOLO11n-pose with random weights, by its own ``predict()``."""

    def __init__(self, device: str) -> None:
        from benchmarks.rivals.yolo import NETWORK, library

        torch.manual_seed(0)
        self._model = library().YOLO(f"{NETWORK}.yaml")
        self._options = {"device": device, "half": device.startswith("cuda"), "verbose": False}

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        """People of one frame."""
        [result] = self._model.predict(frame.image_bgr, **self._options)
        return len(result.boxes)


def detector_of(subject: Subject, estimator: PoseEstimator | None) -> Detector | None:
    """The detector on the same device; None, and said, where it cannot be had."""
    gpu = None if estimator is None else estimator.gpu
    try:
        return open_detector(
            subject.detector, subject.device, frames=None if gpu is None else gpu.frames
        )
    except (LiveposeError, ImportError) as error:
        logger.warning(f"no detector: {error}")
        return None


def eager(detector: Detector | None) -> Detector | None:
    """The detector without recorded graphs: the same network in plain torch."""
    engine = getattr(detector, "engine", None)
    if isinstance(detector, YoloDetector) and isinstance(engine, CudaEngine):
        detector.engine = TorchEngine(engine.network.model, str(engine.frames.stream.device))
    return detector


def end_to_end(subject: Subject, people: int, plan: Plan) -> dict[str, Any]:
    """Livepose and the others in turn on one scene: frames a second, and ms from frame to poses."""
    gc.collect()  # what was measured before lets go of its memory
    scene = Crowd(people, plan.scene_frames)
    livepose = Livepose(subject, scene)
    held_mib = livepose.held_mib()
    systems: dict[str, Any] = {"livepose": livepose}
    try:
        systems["yolo11n-pose"] = YoloPose(subject.device)
    except (LiveposeError, ImportError) as error:
        logger.warning(f"no YOLO11n-pose: {error}")
    systems["crop by crop"] = CropByCrop(subject, scene)
    timed = {name: TimedRun(one, scene.frames()) for name, one in systems.items()}
    for turn in timed.values():
        turn.warm_up(plan.warm_up_frames)
    for _ in in_turn(list(timed.values()), plan.rounds, plan.length):
        pass
    rows = {name: figures(turn) for name, turn in timed.items()}
    return {"detector": livepose.known.name, "held_mib": held_mib, "rows": rows}


def figures(turn: TimedRun) -> dict[str, Any]:
    """Frames a second over the rounds, p50 and p95 of a frame."""
    p50, p95 = np.percentile(turn.frame_ms, (50, 95))
    return {
        "fps": spread(turn.rounds_fps),
        "frame_ms": spread(turn.frame_ms),
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "people": float(np.median(turn.people)),
    }
