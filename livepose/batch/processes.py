"""Workers that are processes of this machine, each with its share of the processor."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from livepose.batch.run import Place

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def process_places(count: int) -> Iterator[Sequence[Place]]:
    """So many processes beside this one; they end with the block, whatever they do."""
    context = multiprocessing.get_context("spawn")
    try:
        yield [
            Place(
                f"worker {index + 1}",
                partial(ProcessPoolExecutor, 1, context, _begin, (cores_of(index, count),)),
            )
            for index in range(count)
        ]
    finally:
        for process in multiprocessing.active_children():
            process.kill()
            process.join()


def _begin(cores: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    share_threads(cores)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Else it would wait for ever for a parent that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def cores_of(index: int, count: int) -> list[int]:
    """The cores of one of ``count`` workers: as evenly as they go, at least one each."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    cores = cores or list(range(os.cpu_count() or 1))
    if count >= len(cores):
        return [cores[index % len(cores)]]
    return cores[index * len(cores) // count : (index + 1) * len(cores) // count]


def share_threads(cores: list[int]) -> None:
    """Keeps this process to these cores; before anything that starts threads is imported."""
    for name in _THREAD_LIMITS:
        os.environ[name] = str(len(cores))
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, cores)
