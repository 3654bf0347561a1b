"""Opening our own weights in OpenVINO: checked, recovered from damage, timed against each other."""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from livepose.errors import DeviceError, WeightsError
from livepose.runtimes import graph_store
from livepose.runtimes.check import probe_crops, require_agreement
from livepose.runtimes.library import openvino
from livepose.runtimes.openvino_runtime import OpenVinoRuntime
from livepose.runtimes.protocol import Runtime
from livepose.runtimes.ranges import Ranges, ranges_path, read_ranges
from livepose.weights import Card

logger = logging.getLogger(__name__)

ov = openvino()

TRIAL = "trial.json"
ROUNDS = 7


def open_own(path: Path, card: Card, precision: str, mode: str) -> OpenVinoRuntime:
    """Our own weights, compiled, and checked against fp32 torch.

    Raises
    ------
    DeviceError
        When it finds keypoints elsewhere than torch does.
    WeightsError
        When INT8 was asked for and there are no ranges for these weights.
    """
    model, reference, folder = graph_store.own_graph(path, card)
    if precision == "int8":
        model = graph_store.int8_graph(model, required_ranges(path, card), folder)

    def opened() -> OpenVinoRuntime:
        runtime = OpenVinoRuntime(model, card, precision, mode, folder)
        require_agreement(runtime, reference)
        return runtime

    stored = graph_store.blobs(folder)
    try:
        return opened()
    except (DeviceError, RuntimeError):
        if not stored:
            raise
    # What was compiled at an earlier start may be damaged; if it is not, this says the same again.
    logger.warning(
        "compiling the pose network again: what was stored does not give torch's keypoints"
    )
    for blob in stored:
        blob.unlink(missing_ok=True)
    return opened()


def required_ranges(path: Path, card: Card) -> Ranges:
    """The INT8 ranges of these weights; WeightsError where there are none."""
    ranges = read_ranges(path, card)
    if ranges is None:
        raise WeightsError(
            f"precision int8 needs {ranges_path(path).name} beside {path.name}; make it with "
            f"'livepose quantise --weights {path}', or use --precision f32"
        )
    return ranges


def milliseconds(path: Path, card: Card, precisions: Sequence[str]) -> dict[str, float]:
    """How long one crop takes in each precision on this machine: measured once, then remembered."""
    _, _, folder = graph_store.own_graph(path, card)
    known = _remembered(folder / TRIAL)
    here = known.get(_machine(), {})
    if not all(isinstance(here.get(name), int | float) for name in precisions):
        logger.info(f"timing the pose network in {' and '.join(precisions)} (only this once)")
        ready = {name: open_own(path, card, name, "latency") for name in precisions}
        here = crop_ms(ready)
        _remember(folder / TRIAL, {**known, _machine(): here})
    return {name: float(here[name]) for name in precisions}


def crop_ms(runtimes: Mapping[str, Runtime]) -> dict[str, float]:
    """Milliseconds for one crop, the median of a few, the runtimes in turn."""
    took_ms: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(ROUNDS):
        for name, runtime in runtimes.items():
            crop = probe_crops(runtime.card)[:1]
            start_s = time.perf_counter()
            runtime(crop)
            took_ms[name].append(1e3 * (time.perf_counter() - start_s))
    return {name: round(median(each), 2) for name, each in took_ms.items()}


def _machine() -> str:
    return f"{ov.Core().get_property('CPU', 'FULL_DEVICE_NAME')}, {os.cpu_count()} threads"


def _remembered(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there yet, or damaged
        return {}
    return known if isinstance(known, dict) else {}


def _remember(path: Path, known: Mapping[str, Any]) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        part.write_text(json.dumps(known), encoding="utf-8")
        part.replace(path)
    except OSError:
        return
