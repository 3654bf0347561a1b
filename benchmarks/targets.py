"""What livepose wants to reach, and whether it does; never left out because it does not."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.rounds import ratio

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """One aim. ``at_least`` says in which direction ``wanted`` is to be passed."""

    what: str
    wanted: float
    measured: float | None
    unit: str
    at_least: bool = True
    interval: tuple[float, float] | None = None
    """In which the figure lies with 95 %, where that is known."""

    @property
    def verdict(self) -> str:
        """``met``, ``not met``, ``not told apart``; "" where it could not be measured.

        A figure whose interval holds the wanted one is not told apart from it.
        """
        if self.measured is None:
            return ""
        low, high = self.interval or (self.measured, self.measured)
        if low < self.wanted < high:
            return "not told apart"
        reached = self.measured >= self.wanted if self.at_least else self.measured <= self.wanted
        return "met" if reached else "not met"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"verdict": self.verdict}


RATIOS = (
    (1, "yolo", 6.0, "ultralytics predict()"),
    (4, "yolo", 3.0, "ultralytics predict()"),
    (1, "yolo_all_cores", 6.0, "ultralytics predict(), all cores"),
    (4, "yolo_all_cores", 3.0, "ultralytics predict(), all cores"),
    (1, "yolo_openvino", 2.5, "its OpenVINO f32 export"),
    (1, "yolo_openvino_small", 2.5, "its OpenVINO f32 export at the frame's size"),
    (1, "yolo_int8", 1.0, "its OpenVINO INT8 form"),
    (1, "yolov8_int8", 1.0, "an OpenVINO INT8 export of YOLOv8n-pose"),
    (1, "straightforward", 10.0, "the straightforward pipeline"),
    (4, "straightforward", 10.0, "the straightforward pipeline"),
)


def targets(parts: Document) -> list[Target]:
    """Every aim that the measured parts can speak of."""
    found: list[Target] = []
    for people in (1, 4):
        if f"baselines-{people}" in parts:
            found += ratios(parts[f"baselines-{people}"])
    if "network" in parts:
        found += network_targets(parts["network"])
    if "stages" in parts:
        found += stage_targets(parts["stages"])
    if "memory" in parts:
        found += memory_targets(parts["memory"])
    if "gpu" in parts:
        found += gpu_targets(parts["gpu"])
    return found


def ratios(baselines: Document) -> Iterator[Target]:
    """Frames/s of livepose over a baseline's, at one number of people."""
    rows = baselines["rows"]
    for people, key, wanted, name in RATIOS:
        if people != baselines["people"]:
            continue
        what = f"frames/s against {name}, {said(people)}"
        if key not in rows or "livepose" not in rows:
            yield Target(what, wanted, None, "times")
            continue
        ours, theirs = rows["livepose"], rows[key]
        found = ratio(ours.get("rounds_fps", ()), theirs.get("rounds_fps", ()))
        if found is None:
            of_medians = ours["fps"]["median"] / theirs["fps"]["median"]
            yield Target(what, wanted, of_medians, "times")
        else:
            middle, low, high = found
            yield Target(what, wanted, middle, "times", interval=(low, high))


def said(people: int) -> str:
    """``one person`` or ``four people``."""
    return {1: "one person", 4: "four people"}.get(people, f"{people} people")


def network_targets(network: Document) -> Iterator[Target]:
    """The bare network's time over the runtime's."""
    for batch, row in network["batches"].items():
        share = 100 * row["bare_ms"]["median"] / row["runtime_ms"]["median"]
        what = f"pose network at OpenVINO's own latency, {said(int(batch))}"
        yield Target(what, 90.0, share, "%")


def stage_targets(stages: Document) -> Iterator[Target]:
    """Everything around the networks."""
    what = "neither detector nor network, four people, drawing included"
    yield Target(what, 5.0, 100 * stages["rest_share"], "% of the frame", at_least=False)
    decode = stages["decode_us_per_person"]["median"]
    yield Target("DARK decoding", 8.0, decode, "µs a person", at_least=False)
    what = "decode, track, smooth, four people"
    yield Target(what, 0.3, stages["post_processing_ms"], "ms", at_least=False)


def memory_targets(memory: Document) -> Iterator[Target]:
    """Growth over the long run."""
    growth = memory.get("growth_percent")
    yield Target("memory growth after warm-up", 2.0, growth, "%", at_least=False)


def gpu_targets(gpu: Document) -> Iterator[Target]:
    """What a card of the H100's class is to reach at 1280x720."""
    row, network = gpu["end_to_end"]["4"], list(gpu["network"].values())[-1]
    yield Target("GPU, frame to poses, four people", 400.0, row["fps"], "frames/s")
    yield Target("GPU, the same, p95", 4.0, row["p95_ms"], "ms", at_least=False)
    yield Target("GPU, network, batch 1", 1.5, network["ms"], "ms", at_least=False)
    yield Target("GPU, large batch", 15_000.0, network["crops_per_s"], "crops/s")
