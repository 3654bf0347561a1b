"""The GPU part: ``python -m benchmarks.gpu`` on a machine with CUDA, ``--quick --device cpu`` to
rehearse it on one without.

The whole loop at 1280x720 with one, four and ten people whose boxes are known, then the network
alone, from bytes on the host to heatmaps there: one crop, and crops a second at a large batch.
"""

import json
import logging
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.targets import gpu_targets
from livepose.benchmark.run import BenchmarkSettings, measure
from livepose.cli import show_messages
from livepose.errors import LiveposeError
from livepose.pipeline import PosePipeline, Settings
from livepose.runtimes import open_runtime
from livepose.runtimes.select import check_device

logger = logging.getLogger(f"livepose.{__name__}")

SIZE_WH = (1280, 720)
PEOPLE = (1, 4, 10)
LARGE_BATCH = 256


def measure_gpu(plan: Plan, device: str = "cuda", detector: str = "auto") -> dict[str, Any]:
    """Everything, as one part of the benchmarks' document."""
    device = check_device(device)
    frames = plan.rounds * min(plan.length.most, 60)
    part: dict[str, Any] = {"size_wh": list(SIZE_WH), "end_to_end": {}}
    for people in PEOPLE[:2] if plan.quick else PEOPLE:
        logger.info(f"the whole loop with {people} people")
        settings = Settings(device=device, runtime="torch", detector=detector)
        asked = BenchmarkSettings(people=people, frames=frames, size_wh=SIZE_WH)
        found = measure(PosePipeline(settings, offline=True), asked)
        row = {"fps": round(found.fps, 2), "p50_ms": found.latency_ms["p50"]}
        part["device"] = found.machine
        part["end_to_end"][str(people)] = row | {"p95_ms": found.latency_ms["p95"]}
    batch = 8 if plan.quick else LARGE_BATCH
    names = ("f32", "f16") if device.startswith("cuda") else ("f32",)
    network = {name: measure_network(device, name, batch, plan.runs) for name in names}
    return part | {"batch": batch, "network": network}


def measure_network(device: str, precision: str, batch: int, runs: int) -> dict[str, float]:
    """Milliseconds of one crop, and crops a second at a large batch; medians."""
    logger.info(f"the network alone in {precision}")
    runtime = open_runtime("default", "torch", device, precision)
    took_s = {}
    for count in (1, batch):
        crops = np.random.default_rng(0).integers(
            0, 256, (count, *runtime.card.input_hw, 3), np.uint8
        )
        samples = []
        for _ in range(3 + runs):
            start_s = time.perf_counter()
            runtime(crops)
            samples.append(time.perf_counter() - start_s)
        took_s[count] = float(np.median(samples[3:]))
    return {"ms": round(1e3 * took_s[1], 4), "crops_per_s": round(batch / took_s[batch], 1)}


def markdown(part: dict[str, Any]) -> Iterator[str]:
    """The part as tables."""
    yield from (f"## GPU: {part['device']['device']}", "")
    width, height = part["size_wh"]
    yield from (
        f"| {width}x{height}, people | frames/s | p50 ms | p95 ms |",
        "| --: | --: | --: | --: |",
    )
    for people, row in part["end_to_end"].items():
        yield f"| {people} | {row['fps']:.1f} | {row['p50_ms']:.2f} | {row['p95_ms']:.2f} |"
    yield ""
    for precision, row in part["network"].items():
        yield (
            f"Network in {precision}: {row['ms']:.3f} ms at batch 1, "
            f"{row['crops_per_s']:.0f} crops/s at batch {part['batch']}."
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
    try:
        plan = QUICK if arguments.quick else FULL
        part = measure_gpu(plan, arguments.device, arguments.detector)
    except LiveposeError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(markdown(part)))
    if arguments.json is not None:
        from benchmarks.document import merged

        document = merged({"format": "", "machine": {}, "parts": {}}, "gpu", part)
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
