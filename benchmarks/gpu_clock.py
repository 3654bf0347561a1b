"""Times on a device, and the rates that bound them: what it really multiplies and copies a second.

On CUDA a stretch of work is timed by events on its own stream; on the processor (a rehearsal) by
the wall clock. Medians; a warm-up apart.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from livepose.runtimes.cuda_graph import CudaStream

Work = Callable[[], object]
WARM_UP_RUNS = 3


def device_ms(stream: CudaStream, work: Work, runs: int) -> float:
    """Median milliseconds that the device takes for work that is queued on the stream."""
    samples = [_timed(stream, work) for _ in range(WARM_UP_RUNS + runs)]
    return float(np.median(samples[WARM_UP_RUNS:]))


def wall_ms(work: Work, runs: int) -> float:
    """Median milliseconds from a call to its return; the work has to wait for its result."""
    samples = []
    for _ in range(WARM_UP_RUNS + runs):
        start_s = time.perf_counter()
        work()
        samples.append((time.perf_counter() - start_s) * 1e3)
    return float(np.median(samples[WARM_UP_RUNS:]))


def _timed(stream: CudaStream, work: Work) -> float:
    if stream.queue is None:
        start_s = time.perf_counter()
        with stream:
            work()
        return (time.perf_counter() - start_s) * 1e3
    new_event: Any = torch.cuda.Event
    begin, end = (new_event(enable_timing=True) for _ in range(2))
    with stream:
        begin.record(stream.queue)
        work()
        end.record(stream.queue)
    end.synchronize()
    return float(begin.elapsed_time(end))


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the device reaches in a large product, a large copy, and a copy from the host."""

    multiply_flops: float
    copy_bytes_per_s: float
    upload_bytes_per_s: float

    def bound_ms(self, flops: float, moved_bytes: float) -> float:
        """The least time of work with so many operations and bytes."""
        return 1e3 * max(flops / self.multiply_flops, moved_bytes / self.copy_bytes_per_s)

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def measure_ceilings(stream: CudaStream, dtype: torch.dtype, runs: int, quick: bool) -> Ceilings:
    """On random numbers: zeros are multiplied faster."""
    side = 256 if quick else 8192
    size = 1_000_000 if quick else 1 << 30
    with stream:
        first, second = (torch.randn(side, side, device=stream.device).to(dtype) for _ in range(2))
        product = torch.empty_like(first)
        source = torch.randint(0, 256, (size,), dtype=torch.uint8, device=stream.device)
        target = torch.empty_like(source)
    frame = stream.pinned((min(size, 16 * 1280 * 720 * 3),), torch.uint8)
    multiply_ms = device_ms(stream, lambda: torch.mm(first, second, out=product), runs)
    copy_ms = device_ms(stream, lambda: target.copy_(source), runs)
    upload_ms = device_ms(
        stream, lambda: target[: len(frame)].copy_(frame, non_blocking=True), runs
    )
    return Ceilings(2e3 * side**3 / multiply_ms, 2e3 * size / copy_ms, 1e3 * len(frame) / upload_ms)


def describe_device(stream: CudaStream) -> dict[str, Any]:
    """The card, its memory, and the versions below torch."""
    if stream.device.type != "cuda":
        return {"name": str(stream.device), "note": "a rehearsal without a GPU: no figure counts"}
    cudnn: Any = torch.backends.cudnn
    properties = torch.cuda.get_device_properties(stream.device)
    return {
        "name": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "multiprocessors": properties.multi_processor_count,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": cudnn.version(),
    }
