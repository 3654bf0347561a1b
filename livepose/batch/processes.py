"""Workers that are processes of this machine, each with its share of the processor."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.batch.work import Opener, Outcome, do_job, lost
from livepose.errors import LiveposeError

logger = logging.getLogger(__name__)
_THREAD_LIMITS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
_ENDING_S = 5.0


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


@dataclass(slots=True)
class _Worker:
    index: int
    process: BaseProcess
    line: Connection
    ready: bool = False
    job: Job | None = None

    @property
    def name(self) -> str:
        return f"worker {self.index + 1} (process {self.process.pid})"


@dataclass
class Processes:
    """``count`` processes; one that dies is replaced, and its job is lost.

    Raises
    ------
    LiveposeError
        From ``wait``: when a worker could not load what every job needs.
    """

    opener: Opener
    folder: Path
    count: int
    on_progress: Callable[[Job, float], None] = lambda job, share: None
    _workers: list[_Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._workers = [self._new(index) for index in range(self.count)]

    def _new(self, index: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve,
            args=(theirs, self.opener, self.folder, cores_of(index, self.count)),
            daemon=True,
        )
        process.start()
        theirs.close()
        return _Worker(index, process, ours)

    def free(self) -> int:
        """How many have no job."""
        return sum(worker.job is None for worker in self._workers)

    def busy(self) -> int:
        """How many have one."""
        return sum(worker.job is not None for worker in self._workers)

    def start(self, job: Job) -> None:
        """Gives a job to one that has none; those that are ready come first."""
        worker = min(
            (one for one in self._workers if one.job is None), key=lambda one: not one.ready
        )
        worker.job = job
        with suppress(OSError):  # a worker that died is seen when it is waited for
            worker.line.send(job)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What was finished or lost."""
        lines: list[Any] = [worker.line for worker in self._workers]
        heard = set(wait(lines, timeout_s))
        outcomes = []
        for worker in [one for one in self._workers if one.line in heard]:
            try:
                outcome = self._hear(worker, worker.line.recv())
            except (EOFError, OSError):
                outcome = self._replace(worker)
            outcomes += [outcome] if outcome else []
        return outcomes

    def _hear(self, worker: _Worker, said: Any) -> Outcome | None:
        if isinstance(said, LiveposeError):
            raise said
        if isinstance(said, Outcome):
            worker.job = None
            return said
        worker.ready = True
        if worker.job is not None and said:
            self.on_progress(worker.job, said)
        return None

    def _replace(self, worker: _Worker) -> Outcome | None:
        worker.line.close()
        worker.process.join(_ENDING_S)
        why = f"died with exit code {worker.process.exitcode}"
        logger.warning(f"{worker.name} {why}")
        if not worker.ready:
            raise LiveposeError(f"{worker.name} {why} before it was ready; is there memory enough?")
        self._workers[self._workers.index(worker)] = self._new(worker.index)
        return None if worker.job is None else lost(worker.job, worker.name, why)

    def close(self) -> None:
        """Ends them all."""
        for worker in self._workers:
            worker.line.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_ENDING_S)
            if worker.process.is_alive():
                worker.process.kill()
        self._workers = []


def _serve(line: Connection, opener: Opener, folder: Path, cores: list[int]) -> None:
    """A worker: loads once, then does one job after the other until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    share_threads(cores)
    with suppress(EOFError, OSError):
        try:
            work = opener()
        except LiveposeError as error:
            line.send(type(error)(str(error)))
            return
        line.send(0.0)
        name = f"process {os.getpid()}"
        while True:
            line.send(do_job(work, line.recv(), folder, name, line.send))
