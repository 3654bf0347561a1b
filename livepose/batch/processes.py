"""Workers that are processes of this machine, each with its share of the processor."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.batch.run import Slots, Worker
from livepose.batch.work import Opener, Outcome, do_job, lost
from livepose.errors import LiveposeError

logger = logging.getLogger(__name__)
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
ENDING_S = 5.0


def cores_of(index: int, count: int) -> list[int]:
    """The cores of one of ``count`` workers: as evenly as they go, at least one each."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    cores = cores or list(range(os.cpu_count() or 1))
    if count >= len(cores):
        return [cores[index % len(cores)]]
    return cores[index * len(cores) // count : (index + 1) * len(cores) // count]


def share_threads(cores: list[int]) -> None:
    """Keeps this process to these cores; before anything that starts threads is imported."""
    for name in THREAD_LIMITS:
        os.environ[name] = str(len(cores))
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, cores)


@dataclass(eq=False)
class Process(Worker):
    """A worker, and the line to it."""

    index: int = 0
    process: Any = None
    line: Any = None

    @property
    def name(self) -> str:
        """For messages and the manifest."""
        return f"worker {self.index + 1} (process {self.process.pid})"


class Processes(Slots):
    """``count`` processes; one that dies is replaced, and its job is lost.

    Raises
    ------
    LiveposeError
        From ``wait``: when a worker could not load what every job needs.
    """

    def __init__(
        self,
        opener: Opener,
        folder: Path,
        count: int,
        on_progress: Callable[[Job, float], None] = lambda job, share: None,
    ) -> None:
        self._opener, self._folder, self._count = opener, folder, count
        self._on_progress = on_progress
        self.workers: list[Process] = [self._new(index) for index in range(count)]

    def _new(self, index: int) -> Process:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        cores = cores_of(index, self._count)
        given = (theirs, self._opener, self._folder, cores)
        process = context.Process(target=_serve, args=given, daemon=True)
        process.start()
        theirs.close()
        return Process(index=index, process=process, line=ours)

    def start(self, job: Job) -> None:
        """Gives a job to an idle one."""
        worker: Process = self.idle()[0]
        worker.job = job
        with suppress(OSError):  # a worker that died is seen when it is waited for
            worker.line.send(job)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What was finished or lost."""
        heard = set(wait([worker.line for worker in self.workers], timeout_s))
        outcomes = [self._hear(one) for one in list(self.workers) if one.line in heard]
        return [outcome for outcome in outcomes if outcome is not None]

    def _hear(self, worker: Process) -> Outcome | None:
        try:
            said = worker.line.recv()
        except (EOFError, OSError):
            return self._replace(worker)
        if isinstance(said, LiveposeError):
            raise said
        if isinstance(said, Outcome):
            worker.job = None
            return said
        worker.is_ready = True
        if worker.job is not None and said:
            self._on_progress(worker.job, said)
        return None

    def _replace(self, worker: Process) -> Outcome | None:
        worker.line.close()
        worker.process.join(ENDING_S)
        why = f"died with exit code {worker.process.exitcode}"
        logger.warning(f"{worker.name} {why}")
        if not worker.is_ready:
            raise LiveposeError(f"{worker.name} {why} before it was ready; is there memory enough?")
        self.workers[self.workers.index(worker)] = self._new(worker.index)
        return None if worker.job is None else lost(worker.job, worker.name, why)

    def close(self) -> None:
        """Ends them all."""
        for worker in self.workers:
            worker.line.close()
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(ENDING_S)
            if worker.process.is_alive():
                worker.process.kill()
        self.workers = []


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
