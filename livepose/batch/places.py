"""Where work is done: in this process, in others beside it, on the machines of a Ray cluster.

A worker is an executor of one process. On a cluster paths and results travel, no frames: the files
have to be under the same path on every machine, and so do livepose and its weights. Ray's own
retries are off.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from livepose.errors import DeviceError, UsageError

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_STORE_BYTES = 80 * 1024 * 1024
"""Memory for objects of a local cluster: only small ones travel."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker can be, by its name in messages and the manifest."""

    name: str
    start: Callable[[], Executor]
    """Starts a process there, anew after a loss."""
    lost: type[Exception] = BrokenExecutor
    """What its futures raise when it has died."""


class _Here(Executor):
    """Does what it is given at once, in this thread, which Ctrl-C ends."""

    def submit(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*given, **named))
        return future


HERE = Place("this process", _Here)


@contextmanager
def process_places(count: int) -> Iterator[Sequence[Place]]:
    """So many processes beside this one; they end with the block, whatever they do."""
    context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    try:
        yield [
            Place(
                f"worker {index + 1}",
                partial(ProcessPoolExecutor, 1, context, _begin, (cores_of(index, count),)),
            )
            for index in range(count)
        ]
    finally:
        for process in set(multiprocessing.active_children()).difference(others):
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


class _Actor:
    """What runs in each slot: what it is given, one after the other."""

    def __init__(self, cwd: Path, index: int, count: int) -> None:
        share_threads(cores_of(index, count))
        with suppress(OSError):  # absolute paths need none
            os.chdir(cwd)

    def run(self, function: Callable[..., Any], *given: Any) -> Any:
        return function(*given)


class _Slot(Executor):
    """An actor of a node, as an executor."""

    def __init__(self, ray: Any, node: str, gpus: float, *given: Any) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = {"max_restarts": 0, "max_task_retries": 0, "num_cpus": 0, "num_gpus": gpus}
        place = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = ray.remote(_Actor).options(**options, scheduling_strategy=place)
        self._actor = actor.remote(*given)

    def submit(self, function: Callable[..., Any], /, *given: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = self._actor.run.remote(function, *given).future()
        return future


@contextmanager
def ray_places(address: str, per_node: int = 1) -> Iterator[Sequence[Place]]:
    """``per_node`` slots on every machine of a cluster, which is left at the end.

    ``address`` is the cluster's, or ``local`` for one on this machine that ends with the run.
    UsageError when Ray is not installed, DeviceError when there is no cluster at that address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs the package ray: pip install 'livepose[ray]'") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"there is no Ray cluster at {address}: {str(error).splitlines()[0]}; start one by"
            " `ray start --head`, or take --ray local"
        ) from error
    alive = {one["NodeID"]: one["Resources"] for one in ray.nodes() if one["Alive"]}
    try:
        yield [
            Place(
                f"slot {index + 1} of node {node[:8]}",
                partial(_Slot, ray, node, gpus, Path.cwd(), index, per_node),
                ray.exceptions.RayError,
            )
            for node, resources in sorted(alive.items())
            for gpus in [gpu_share(resources.get("GPU", 0), per_node)]
            for index in range(per_node)
        ]
    finally:
        ray.shutdown()


def gpu_share(gpus: float, actors: int) -> float:
    """Of a machine's GPUs for each of its actors: a part of one, or whole ones.

    >>> gpu_share(1, 2), gpu_share(4, 3), gpu_share(0, 2)
    (0.5, 1, 0.0)
    """
    share = gpus / actors
    return share if share < 1 else int(share)
