"""Workers on the machines of a Ray cluster: one actor a slot. Paths and results travel, no frames.

The files have to be under the same path on every machine, and so do livepose and its weights.
Ray's own retries are off: a dead node's files are handed out again by ``run``.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from livepose.batch.processes import cores_of, share_threads
from livepose.batch.run import Place
from livepose.errors import DeviceError, UsageError

_STORE_BYTES = 80 * 1024 * 1024
"""Memory for objects of a local cluster: only small ones travel."""


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
