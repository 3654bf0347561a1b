"""The GPU part: ``python -m benchmarks.gpu`` on a machine with CUDA, ``--quick --device cpu`` to
rehearse it on one without.

At 1280x720 with one, four and ten people: livepose end to end, ultralytics' YOLO11n-pose with
random weights, and the straightforward way (eager torch, detector on every frame, crop by crop).
Then the network alone against eager torch, crops a second at a large batch, and each stage beside
the two rates that bound it. Everything in one run on one card. What a machine has not (ultralytics,
OpenVINO, PyAV) is left out and said.
"""

import json
import logging
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_clock import Ceilings, describe_device, measure_ceilings
from benchmarks.gpu_rounds import PEOPLE, SIZE_WH, Crowd, Subject, end_to_end
from benchmarks.gpu_stages import measure_network, measure_offline, measure_stages
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.targets import gpu_targets
from livepose.cli import show_messages
from livepose.errors import LiveposeError
from livepose.estimator import PoseEstimator
from livepose.runtimes.cuda import BATCH_SIZES, CudaRuntime
from livepose.runtimes.cuda_graph import CudaStream
from livepose.runtimes.eager import DTYPES, prepared
from livepose.runtimes.select import check_device
from livepose.weights import load_network
from livepose.weights.places import find_weights

logger = logging.getLogger(f"livepose.{__name__}")


def default_subject(device: str, quick: bool) -> Subject:
    """The embedded weights; the time of a network does not depend on what it has learned."""
    network, card = load_network(find_weights("default"))
    sizes = BATCH_SIZES[:3] if quick else (*BATCH_SIZES, 64, 128, 256)
    return Subject(network, card, "cuda:0" if device == "cuda" else device, sizes)


def measure_gpu(plan: Plan, subject: Subject | None = None) -> dict[str, Any]:
    """Everything, as one part of the benchmarks' document."""
    subject = subject or default_subject(check_device("cuda"), plan.quick)
    stream = CudaStream(subject.device)
    part: dict[str, Any] = {"device": describe_device(stream), "size_wh": list(SIZE_WH)}
    logger.info(f"the rates of {part['device']['name']}")
    dtype = DTYPES[subject.precision]
    ceilings = measure_ceilings(stream, dtype, plan.runs, plan.quick)
    part["ceilings"] = ceilings.as_dict()
    part["end_to_end"] = {}
    for people in PEOPLE[:2] if plan.quick else PEOPLE:
        logger.info(f"end to end with {people} people")
        part["end_to_end"][str(people)] = end_to_end(subject, people, plan)
    return part | measure_parts(subject, ceilings, plan)


def measure_parts(subject: Subject, ceilings: Ceilings, plan: Plan) -> dict[str, Any]:
    """The network alone, many crops, and the stages of a frame."""
    runtime = subject.runtime()
    eager = {
        f"eager {name}": prepared(subject.network, subject.card, subject.device, name)
        for name in dict.fromkeys(("f32", subject.precision))
    }
    logger.info("the network alone")
    network = measure_network(runtime, eager, compilers(subject, runtime), plan.runs)
    batch = max(subject.sizes)
    logger.info(f"{batch} crops at once")
    offline = measure_offline(runtime, subject.network, ceilings, batch, plan.runs)
    logger.info("stage by stage")
    estimator = PoseEstimator(runtime)
    stages = {}
    for people in (1, 4):
        scene = Crowd(people, 1)
        if estimator.gpu is not None:
            image, boxes = scene.image(0), scene.boxes_xyxy(0)
            stages[str(people)] = measure_stages(
                estimator, subject.network, image, boxes, ceilings, plan.runs
            )
    return {"network": network, "offline": offline, "stages": stages}


def compilers(
    subject: Subject, runtime: CudaRuntime
) -> dict[str, Callable[[], Callable[[Tensor], Tensor]]]:
    """What might make the network quicker than recording it as it is; none on the processor."""

    def inductor() -> Callable[[Tensor], Tensor]:
        return torch.compile(runtime.graph, dynamic=False)

    return {"torch.compile": inductor} if subject.device.startswith("cuda") else {}


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
        on_host_ms = measured["decode_on_host_ms"]
        yield f"| {people} | (decode on the host instead) | {on_host_ms:.3f} | | |"
    yield ""
    for people, measured in part["end_to_end"].items():
        if measured["held_mib"] is not None:
            yield f"livepose holds {measured['held_mib']:.0f} MiB of the GPU for {people} people."
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
        measured = f"{aim.measured:.2f}{'' if aim.verdict == 'met' else f', **{aim.verdict}**'}"
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
    show_messages()

    plan = QUICK if arguments.quick else FULL
    try:
        subject = default_subject(check_device(arguments.device), plan.quick)
        part = measure_gpu(plan, replace(subject, detector=arguments.detector))
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
