"""Workers on the machines of a Ray cluster: one actor a slot. Paths and results travel, no frames.

The files have to be under the same path on every machine, and so do livepose and its weights.
Ray's own retries are off: a dead node's files are handed out again here.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.batch.manifest import Entry
from livepose.batch.processes import cores_of, share_threads
from livepose.batch.run import Opener, WorkerLostError, do_job
from livepose.errors import DeviceError, LiveposeError, UsageError

logger = logging.getLogger(__name__)

STORE_BYTES = 80 * 1024 * 1024
"""Memory for objects of a local cluster: only small ones travel."""


class Actor:
    """What runs in each slot: loads once, then does one job after the other."""

    def __init__(self, opener: Opener, folder: Path, cwd: Path, index: int, count: int) -> None:
        import ray

        share_threads(cores_of(index, count))
        with suppress(OSError):  # absolute paths need none
            os.chdir(cwd)
        self._opener, self._folder = opener, folder
        self._name = f"process {os.getpid()} of node {ray.get_runtime_context().get_node_id()[:8]}"
        self._work: Any = None

    def open(self) -> LiveposeError | None:
        """Loads what every job needs; the error that stops all, if any."""
        try:
            self._work = self._opener()
        except LiveposeError as error:
            return type(error)(str(error))
        return None

    def do(self, job: Job) -> Entry:
        """Tries a job once."""
        return do_job(self._work, job, self._folder, self._name, lambda share: None)


def gpu_share(gpus: float, actors: int) -> float:
    """Of a machine's GPUs for each of its actors: a part of one, or whole ones.

    >>> gpu_share(1, 2), gpu_share(4, 3), gpu_share(0, 2)
    (0.5, 1, 0.0)
    """
    share = gpus / actors
    return share if share < 1 else int(share)


class RayWorker:
    """A slot of a node for an actor; see ``run.Worker``. ``given`` are the actor's arguments."""

    def __init__(self, ray: Any, node: str, index: int, gpus: float, given: Sequence[Any]) -> None:
        self.name = f"slot {index + 1} of node {node[:8]}"
        self._ray, self._node, self._gpus, self._given = ray, node, gpus, given
        self._actor: Any = None

    def open(self) -> None:
        """Starts an actor and waits until it has loaded; WorkerLostError when its node is gone."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if self._node not in _alive(self._ray):
            raise WorkerLostError("its machine is gone")
        options = {"max_restarts": 0, "max_task_retries": 0, "num_cpus": 0, "num_gpus": self._gpus}
        place = NodeAffinitySchedulingStrategy(self._node, soft=False)
        actor = self._ray.remote(**options)(Actor).options(scheduling_strategy=place)
        self._actor = actor.remote(*self._given)
        error = self._answer(self._actor.open.remote())
        if error is not None:
            raise error

    def do(self, job: Job) -> Entry:
        """Tries a job once; WorkerLostError when actor or node die meanwhile."""
        entry: Entry = self._answer(self._actor.do.remote(job))
        return entry

    def _answer(self, asked: Any) -> Any:
        try:
            return self._ray.get(asked)
        except self._ray.exceptions.RayError as error:
            why = (str(error) or type(error).__name__).strip().splitlines()[0].partition(". ")[0]
            logger.warning(f"{self.name} was lost: {why}")
            raise WorkerLostError(why) from None

    def close(self) -> None:
        """Ends the actor."""
        with suppress(Exception):  # it may be gone already
            self._ray.kill(self._actor)


def _alive(ray: Any) -> dict[str, Any]:
    """The machines of the cluster, by their id."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}


@contextmanager
def ray_workers(
    address: str, opener: Opener, folder: Path, per_node: int = 1
) -> Iterator[list[RayWorker]]:
    """``per_node`` workers on every machine of a cluster, which is left at the end.

    ``address`` is the cluster's, or ``local`` for one on this machine that ends with the run.
    UsageError when Ray is not installed, DeviceError when there is no cluster at that address.
    """
    ray = _connected(address)
    try:
        yield [
            RayWorker(
                ray,
                node,
                index,
                gpu_share(resources.get("GPU", 0), per_node),
                (opener, folder.absolute(), Path.cwd(), index, per_node),
            )
            for node, resources in sorted(_alive(ray).items())
            for index in range(per_node)
        ]
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs the package ray: pip install 'livepose[ray]'") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        ray.init(address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"there is no Ray cluster at {address}: {str(error).splitlines()[0]}; start one by"
            " `ray start --head`, or take --ray local"
        ) from error
    return ray
