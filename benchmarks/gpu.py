"""The GPU part: ``python -m benchmarks.gpu`` on a machine with CUDA, ``--quick --device cpu`` to
rehearse it on one without.

At 1280x720 with one, four and ten people: livepose end to end, ultralytics' YOLO11n-pose with
random weights, and the straightforward way (eager torch, detector on every frame, crop by crop).
Then the network alone against eager torch, crops a second at a large batch, and each stage beside
the two rates that bound it. Everything in one run on one card. What a machine has not (ultralytics,
OpenVINO, PyAV) is left out and said.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.gpu_clock import Ceilings, describe_device, measure_ceilings, memory_mib
from benchmarks.gpu_stages import measure_network, measure_offline, measure_stages
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.targets import gpu_targets
from livepose.detector import Detections, Detector, open_detector
from livepose.errors import LiveposeError
from livepose.estimator import PoseEstimator
from livepose.frame import Frame, ImageBgr
from livepose.offline.rounds import Turn, spread, take_turns
from livepose.pipeline import PosePipeline, Settings
from livepose.runtimes.cuda_runtime import BUCKETS, LARGE_BUCKETS, CudaRuntime
from livepose.runtimes.recording import Lane
from livepose.runtimes.selection import check_device
from livepose.runtimes.torch_runtime import DTYPES, TorchRuntime, prepared
from livepose.weights import Card, load_network
from livepose.weights.places import find_weights

Report = Callable[[str], None]

SIZE_WH = (1280, 720)
PEOPLE = (1, 4, 10)
FPS = 30.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The pose network that is measured, and where."""

    network: nn.Module
    card: Card
    device: str
    buckets: tuple[int, ...] = BUCKETS
    detector: str = "auto"

    @property
    def precision(self) -> str:
        """Half on a GPU; the processor only rehearses."""
        return "f16" if self.device.startswith("cuda") else "f32"

    def runtime(self) -> CudaRuntime:
        """A fresh runtime."""
        return CudaRuntime(self.network, self.card, self.device, self.precision, self.buckets)


def default_subject(device: str, quick: bool) -> Subject:
    """The embedded weights; the time of a network does not depend on what it has learned."""
    network, card = load_network(find_weights("default"))
    buckets = BUCKETS[:3] if quick else LARGE_BUCKETS
    return Subject(network, card, "cuda:0" if device == "cuda" else device, buckets)


def measure_gpu(plan: Plan, report: Report, subject: Subject | None = None) -> dict[str, Any]:
    """Everything, as one part of the benchmarks' document."""
    subject = subject or default_subject(check_device("cuda"), plan.quick)
    lane = Lane(subject.device)
    part: dict[str, Any] = {"device": describe_device(lane), "size_wh": list(SIZE_WH)}
    report(f"the rates of {part['device']['name']}")
    dtype = DTYPES[subject.precision]
    ceilings = measure_ceilings(lane, dtype, plan.runs, plan.quick)
    part["ceilings"] = ceilings.as_dict()
    part["end_to_end"] = {}
    for people in PEOPLE[:2] if plan.quick else PEOPLE:
        report(f"end to end with {people} people")
        part["end_to_end"][str(people)] = end_to_end(subject, people, plan, report)
    part |= measure_parts(subject, ceilings, plan, report)
    part["memory_mib"] = memory_mib(lane)
    return part


def measure_parts(
    subject: Subject, ceilings: Ceilings, plan: Plan, report: Report
) -> dict[str, Any]:
    """The network alone, many crops, and the stages of a frame."""
    runtime = subject.runtime()
    eager = {
        f"eager {name}": prepared(subject.network, subject.card, subject.device, name)
        for name in dict.fromkeys(("f32", subject.precision))
    }
    report("the network alone")
    network = measure_network(runtime, eager, plan.runs)
    batch = max(subject.buckets)
    report(f"{batch} crops at once")
    offline = measure_offline(runtime, subject.network, ceilings, batch, plan.runs)
    report("stage by stage")
    estimator = PoseEstimator(runtime, report=report)
    stages = {}
    for people in (1, 4):
        scene = Crowd(people, 1)
        if estimator.gpu is not None:
            image, boxes = scene.image(0), scene.boxes_xyxy(0)
            stages[str(people)] = measure_stages(
                estimator, subject.network, image, boxes, ceilings, plan.runs
            )
    return {"network": network, "offline": offline, "stages": stages}


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
    """The pipeline as a contestant: from a frame in memory to smoothed poses."""

    def __init__(self, subject: Subject, scene: Crowd, report: Report) -> None:
        estimator = PoseEstimator(subject.runtime(), report=report)
        self.known = KnownPeople(scene, detector_of(subject, estimator, report))
        self.pipeline = PosePipeline(Settings(), networks=(estimator, self.known))
        self.pipeline.warm_up(scene.size_wh)

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        """People of one frame."""
        self.known.index = frame.index
        return len(self.pipeline.process(frame.image_bgr, frame.time_s))


class CropByCrop:
    """The straightforward way: detector on every frame, eager torch in f32, crop by crop."""

    def __init__(self, subject: Subject, scene: Crowd, report: Report) -> None:
        runtime = TorchRuntime(subject.network, subject.card, subject.device, "f32")
        self._estimator = PoseEstimator(runtime)
        self._known = KnownPeople(scene, detector_of(subject, None, report))

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
        self._model = library().YOLO(NETWORK)
        self._options = {"device": device, "half": device.startswith("cuda"), "verbose": False}

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        """People of one frame."""
        [result] = self._model.predict(frame.image_bgr, **self._options)
        return len(result.boxes)


def detector_of(
    subject: Subject, estimator: PoseEstimator | None, report: Report
) -> Detector | None:
    """The detector on the same device; None, and said, where it cannot be had."""
    gpu = None if estimator is None else estimator.gpu
    try:
        return open_detector(
            subject.detector, subject.device, frames=None if gpu is None else gpu.frames
        )
    except (LiveposeError, ImportError) as error:
        report(f"no detector: {error}")
        return None


def end_to_end(subject: Subject, people: int, plan: Plan, report: Report) -> dict[str, Any]:
    """Livepose and the others in turn on one scene: frames a second, and ms from frame to poses."""
    scene = Crowd(people, plan.scene_frames)
    livepose = Livepose(subject, scene, report)
    contestants: dict[str, Any] = {"livepose": livepose}
    try:
        contestants["yolo11n-pose"] = YoloPose(subject.device)
    except (LiveposeError, ImportError) as error:
        report(f"no YOLO11n-pose: {error}")
    contestants["crop by crop"] = CropByCrop(subject, scene, report)
    turns = {name: Turn(one, scene.frames()) for name, one in contestants.items()}
    for turn in turns.values():
        turn.warm_up(plan.warm_up_frames)
    for _ in take_turns(list(turns.values()), plan.rounds, plan.length):
        pass
    rows = {name: figures(turn) for name, turn in turns.items()}
    return {"detector": livepose.known.name, "rows": rows}


def figures(turn: Turn) -> dict[str, Any]:
    """Frames a second over the rounds, p50 and p95 of a frame."""
    p50, p95 = np.percentile(turn.frame_ms, (50, 95))
    return {
        "fps": turn.fps().as_dict(),
        "frame_ms": spread(turn.frame_ms).as_dict(),
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "people": float(np.median(turn.people)),
    }


def markdown(part: dict[str, Any]) -> Iterator[str]:
    """The part as tables."""
    ceilings = part["ceilings"]
    yield from (f"## GPU: {part['device']['name']}", "")
    yield (
        f"A large product reaches {ceilings['multiply_flops'] / 1e12:.3g} TFLOP/s, a large copy "
        f"{ceilings['copy_bytes_per_s'] / 1e9:.3g} GB/s, an upload "
        f"{ceilings['upload_bytes_per_s'] / 1e9:.3g} GB/s."
    )
    width, height = part["size_wh"]
    yield from ("", f"| {width}x{height} | people | frames/s | p50 ms | p95 ms |")
    yield "| --- | ---: | ---: | ---: | ---: |"
    for people, measured in part["end_to_end"].items():
        for name, row in measured["rows"].items():
            fps, p50, p95 = row["fps"]["median"], row["p50_ms"], row["p95_ms"]
            yield f"| {name} | {people} | {fps:.1f} | {p50:.2f} | {p95:.2f} |"
    yield from ("", "| people | stage | ms | bound ms | of bound |")
    yield "| ---: | --- | ---: | ---: | ---: |"
    for people, measured in part["stages"].items():
        for name, row in measured["stages"].items():
            share = f"{100 * row['of_bound']:.0f} %"
            yield f"| {people} | {name} | {row['ms']:.3f} | {row['bound_ms']:.3f} | {share} |"
        yield f"| {people} | {measured['rest']} | {measured['rest_ms']:.3f} | | |"
    network, offline = part["network"], part["offline"]
    times = ", ".join(f"{name} {took:.3f} ms" for name, took in network["ms"].items())
    yield from ("", f"Network, batch 1: {times}; {network['times_eager']:.1f} times eager.")
    yield (
        f"{offline['crops_per_s']:.0f} crops/s at batch {offline['batch']} on the device, "
        f"{offline['crops_per_s_from_host']:.0f} from the host's memory and back: "
        f"{100 * offline['of_multiply_rate']:.0f} % of the product's rate, "
        f"{100 * offline['of_copy_rate']:.0f} % of the copy's."
    )
    yield from ("", "| aim | wanted | measured |", "| --- | ---: | ---: |")
    for aim in gpu_targets(part):
        sign = "≥" if aim.at_least else "≤"
        measured = f"{aim.measured:.2f}{'' if aim.met else ', **not met**'}"
        yield f"| {aim.what} | {sign} {aim.wanted:g} {aim.unit} | {measured} |"
    yield ""


def main(words: Sequence[str] | None = None) -> int:
    """Measures, prints the tables, saves the JSON."""
    parser = ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to rehearse")
    parser.add_argument("--quick", action="store_true", help="seconds: to see that it runs")
    parser.add_argument("--detector", default="auto", help="as livepose --detector")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go")
    arguments = parser.parse_args(words)

    def report(message: str) -> None:
        print(f"benchmarks: {message}", file=sys.stderr, flush=True)

    plan = QUICK if arguments.quick else FULL
    try:
        subject = default_subject(check_device(arguments.device), plan.quick)
        part = measure_gpu(plan, report, replace(subject, detector=arguments.detector))
    except LiveposeError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(markdown(part)))
    if arguments.json is not None:
        save(part, arguments.json)
    return 0


def save(part: dict[str, Any], path: Path) -> None:
    """The figures in the form of the benchmarks' one document."""
    from benchmarks.document import merged

    document = merged({"format": "", "machine": {}, "parts": {}}, "gpu", part)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    start_s = time.perf_counter()
    code = main()
    print(f"benchmarks: {time.perf_counter() - start_s:.0f} s", file=sys.stderr)
    sys.exit(code)
