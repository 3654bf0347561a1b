"""The pose network in livepose's runtime against OpenVINO's own latency run of the bare network.

Bare: the network alone (float images in, heatmaps out, no normalisation, no softmax), compiled
with the latency hint and run again and again on one input that never changes.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.plan import Plan
from livepose.benchmark.run import spread
from livepose.runtimes import open_runtime
from livepose.runtimes.openvino import compile_options, ov
from livepose.runtimes.openvino_graph import pose_graph
from livepose.runtimes.protocol import Runtime
from livepose.runtimes.verify import probe_crops
from livepose.weights import Card
from livepose.weights.arrays import load_arrays
from livepose.weights.places import find_weights

logger = logging.getLogger(f"livepose.{__name__}")
Work = Callable[[], object]
BATCHES = (1, 4)


def measure_network(plan: Plan) -> dict[str, Any]:
    """Both in turn, one run after the other, for each batch size."""
    runtime = open_runtime("default", "openvino", "cpu", "f32")
    runtime.warm_up(BATCHES)
    bare = bare_network(runtime.card)
    rows = {}
    for batch in BATCHES:
        logger.info(f"the bare network, {batch} at once")
        ours, theirs = lock(own_run(runtime, batch), bare_run(bare, batch), plan.runs)
        rows[str(batch)] = {
            "runtime_ms": spread(ours),
            "bare_ms": spread(theirs),
        }
    return {"precision": runtime.precision, "batches": rows}


def own_run(runtime: Runtime, batch: int) -> Work:
    """One run as the estimator does it, on crops that never change."""
    crops = np.concatenate([probe_crops(runtime.card)] * batch)[:batch]
    return lambda: runtime(crops)


def lock(first: Work, second: Work, runs: int) -> tuple[list[float], list[float]]:
    """Milliseconds of both, run alternately; a few runs of each are warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 3):
        for work, samples in zip((first, second), times, strict=True):
            start_s = time.perf_counter()
            work()
            if number >= 3:
                samples.append((time.perf_counter() - start_s) * 1e3)
    return times


def bare_network(card: Card) -> Any:
    """The network as an OpenVINO model with a free batch."""
    path = find_weights("default")
    return pose_graph(load_arrays(path), card, path.name)


def bare_run(model: Any, batch: int) -> Work:
    """One synchronous run on an input that was set once."""
    shaped = model.clone()
    shaped.reshape([batch, *[axis.get_length() for axis in list(model.input(0).partial_shape)[1:]]])
    compiled = ov.Core().compile_model(shaped, "CPU", compile_options("f32"))
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(np.zeros(list(shaped.input(0).shape), dtype=np.float32)))
    run: Work = request.infer
    return run
