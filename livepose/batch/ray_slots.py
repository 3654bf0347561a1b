"""Workers on the machines of a Ray cluster: one actor a slot. Paths and results travel, no frames.

The files have to be under the same path on every machine, and so do livepose and its weights.
Ray's own retries are off: a dead node's files are handed out again here.
"""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.batch.processes import cores_of, share_threads
from livepose.batch.run import Slots, Worker
from livepose.batch.work import Opener, Outcome, do_job, lost
from livepose.errors import DeviceError, LiveposeError, UsageError

logger = logging.getLogger(__name__)

STORE_BYTES = 80 * 1024 * 1024
"""Memory for objects of a local cluster: only small ones travel."""


class Actor:
    """What runs in each slot: loads once, then does one job after the other."""

    def __init__(self, opener: Opener, folder: Path, cwd: Path, index: int, count: int) -> None:
        share_threads(cores_of(index, count))
        with suppress(OSError):  # absolute paths need none
            os.chdir(cwd)
        self._opener, self._folder = opener, folder
        self._name = f"process {os.getpid()} of node {node_id()[:8]}"
        self._work: Any = None

    def open(self) -> LiveposeError | None:
        """Loads what every job needs; the error that stops all, if any."""
        try:
            self._work = self._opener()
        except LiveposeError as error:
            return type(error)(str(error))
        return None

    def do(self, job: Job) -> Outcome:
        """Tries a job once."""
        return do_job(self._work, job, self._folder, self._name, lambda share: None)


def gpu_share(gpus: float, actors: int) -> float:
    """Of a machine's GPUs for each of its actors: a part of one, or whole ones.

    >>> gpu_share(1, 2), gpu_share(4, 3), gpu_share(0, 2)
    (0.5, 1, 0.0)
    """
    share = gpus / actors
    return share if share < 1 else int(share)


def node_id() -> str:
    """Of the machine that this actor runs on."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


@dataclass(eq=False)
class Slot(Worker):
    """A worker: an actor on a node, and what it is asked."""

    node: str = ""
    index: int = 0
    actor: Any = None
    opening: Any = None
    doing: Any = None
    replaces: bool = False
    """It takes a job once it has loaded: its machine may be about to go."""

    @property
    def is_idle(self) -> bool:
        """Whether it could take a job now."""
        return self.job is None and (self.is_ready or not self.replaces)

    @property
    def name(self) -> str:
        """For messages and the manifest."""
        return f"slot {self.index + 1} of node {self.node[:8]}"


class RaySlots(Slots):
    """``per_node`` actors on every machine of a cluster.

    Parameters
    ----------
    address : str
        Of the cluster, or ``local`` for one on this machine that ends with the run.

    Raises
    ------
    UsageError
        When Ray is not installed.
    DeviceError
        When there is no cluster at that address.
    LiveposeError
        From ``wait``: when an actor could not load what every job needs.
    """

    def __init__(self, address: str, opener: Opener, folder: Path, per_node: int = 1) -> None:
        self._ray = connect(address)
        self._opener, self._folder, self._per_node = opener, folder.absolute(), per_node
        self._gpus = {node["NodeID"]: node["Resources"].get("GPU", 0) for node in self._ray.nodes()}
        self.workers: list[Slot] = [
            self._new(node, index) for node in self._alive() for index in range(per_node)
        ]

    def _alive(self) -> list[str]:
        return sorted(node["NodeID"] for node in self._ray.nodes() if node["Alive"])

    def _new(self, node: str, index: int, replaces: bool = False) -> Slot:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        needs = {"num_cpus": 0, "num_gpus": gpu_share(self._gpus.get(node, 0), self._per_node)}
        actor_of = self._ray.remote(max_restarts=0, max_task_retries=0, **needs)(Actor)
        place = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = actor_of.options(scheduling_strategy=place).remote(
            self._opener, self._folder, Path.cwd(), index, self._per_node
        )
        opening = actor.open.remote()
        return Slot(node=node, index=index, actor=actor, opening=opening, replaces=replaces)

    def start(self, job: Job) -> None:
        """Gives a job to an idle one."""
        slot: Slot = self.idle()[0]
        slot.job, slot.doing = job, slot.actor.do.remote(job)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What was finished or lost."""
        asked = {ref: slot for slot in self.workers for ref in (slot.opening, slot.doing)}
        asked.pop(None, None)
        ready, _ = self._ray.wait(list(asked), timeout=timeout_s)
        outcomes = [self._hear(asked[ref], ref) for ref in ready]
        return [outcome for outcome in outcomes if outcome is not None]

    def _hear(self, slot: Slot, ref: Any) -> Outcome | None:
        if slot not in self.workers:
            return None
        try:
            said = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            return self._replace(slot, error)
        if ref is slot.opening:
            if said is not None:
                raise said
            slot.opening, slot.is_ready = None, True
            return None
        slot.job = slot.doing = None
        outcome: Outcome = said
        return outcome

    def _replace(self, slot: Slot, error: Exception) -> Outcome | None:
        """Gives the slot up, and opens a new one where its machine is still there."""
        why = (str(error) or type(error).__name__).strip().splitlines()[0].partition(". ")[0]
        logger.warning(f"{slot.name} was lost: {why}")
        self.workers.remove(slot)
        if slot.is_ready and slot.node in self._alive():
            self.workers.append(self._new(slot.node, slot.index, replaces=True))
        return None if slot.job is None else lost(slot.job, slot.name, why)

    def close(self) -> None:
        """Ends every actor and leaves the cluster."""
        for slot in self.workers:
            with suppress(Exception):  # it may be gone already
                self._ray.kill(slot.actor)
        self.workers = []
        self._ray.shutdown()


def connect(address: str) -> Any:
    """Ray, connected; see ``RaySlots``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs the package ray: pip install 'livepose[ray]'") from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":
            ray.init("local", include_dashboard=False, object_store_memory=STORE_BYTES, **options)
        else:
            ray.init(address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"there is no Ray cluster at {address}: {str(error).splitlines()[0]}; start one by"
            " `ray start --head`, or take --ray local"
        ) from error
    return ray
