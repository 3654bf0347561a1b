"""Workers that are processes of this machine, each with its share of the processor."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.batch.manifest import Entry
from livepose.batch.run import Opener, WorkerLostError, do_job
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


class ProcessWorker:
    """One of ``count`` processes; see ``run.Worker``."""

    def __init__(
        self,
        opener: Opener,
        folder: Path,
        index: int,
        count: int,
        on_progress: Callable[[Job, float], None] = lambda job, share: None,
    ) -> None:
        self._given = opener, folder, cores_of(index, count)
        self._index, self._on_progress = index, on_progress
        self._process: Any = None
        self._line: Any = None
        self._closed = False

    @property
    def name(self) -> str:
        """For messages and the manifest."""
        return f"worker {self._index + 1} (process {self._process.pid})"

    def open(self) -> None:
        """Starts it, and waits until it has loaded; LiveposeError when it cannot."""
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._given), daemon=True)
        self._process.start()
        theirs.close()
        if self._closed:
            self._process.kill()
        try:
            self._hear(None)
        except WorkerLostError as lost:
            why = f"{self.name} {lost} before it was ready; is there memory enough?"
            raise LiveposeError(why) from None

    def do(self, job: Job) -> Entry:
        """Tries a job once; WorkerLostError when it dies meanwhile."""
        with suppress(OSError):  # a process that died is heard of below
            self._line.send(job)
        entry: Entry = self._hear(job)
        return entry

    def _hear(self, job: Job | None) -> Any:
        """What it says at last: None once it is ready, or what became of a job."""
        while True:
            try:
                said = self._line.recv()
            except (EOFError, OSError):
                self._line.close()
                self._process.join(ENDING_S)
                why = f"died with exit code {self._process.exitcode}"
                if not self._closed:
                    logger.warning(f"{self.name} {why}")
                raise WorkerLostError(why) from None
            if isinstance(said, LiveposeError):
                raise said
            if job is None or isinstance(said, Entry):
                return said
            self._on_progress(job, said)

    def close(self) -> None:
        """Ends it."""
        self._closed = True
        if self._process is not None and self._process.pid is not None:
            self._process.terminate()
            self._process.join(ENDING_S)
            if self._process.is_alive():
                self._process.kill()


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
        line.send(None)
        name = f"process {os.getpid()}"
        while True:
            line.send(do_job(work, line.recv(), folder, name, line.send))
