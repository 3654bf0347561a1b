"""A whole run: the jobs that are due, the largest first, each noted as soon as it is over.

Three may do the work: this process (``Here``), processes beside it, machines of a Ray cluster. A
job is done in a hidden folder beside its place and moved there, whatever happens meanwhile; what a
dead worker left is tried elsewhere.
"""

import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from livepose.batch.jobs import Job, largest_first
from livepose.batch.manifest import DONE, FAILED, LOST, Entry, Manifest, file_sha256
from livepose.errors import LiveposeError

MOST_TRIES = 3
WAIT_S = 0.5
_TOKEN_BYTES = 4

OnProgress = Callable[[float], None]
"""Told which share of the job is done, 0 to 1."""
Work = Callable[[Job, Path, OnProgress], None]
"""Does a job: its outputs, under the last part of its name, into a folder that is there."""
Opener = Callable[[], Work]
"""Loads what every job needs; picklable."""


class WorkerLostError(Exception):
    """A worker died, of no fault of its job."""


class Worker(Protocol):
    """Who does one job at a time; each is asked from a thread of its own."""

    @property
    def name(self) -> str:
        """For messages and the manifest."""

    def open(self) -> None:
        """Loads what every job needs, anew after a loss.

        WorkerLostError when it cannot be had any more. LiveposeError when nobody could load it.
        """

    def do(self, job: Job) -> Entry:
        """Tries a job once; WorkerLostError when the worker dies meanwhile."""

    def close(self) -> None:
        """Ends it, whatever it does; a second call does nothing."""


class Here:
    """The one worker that is this process itself."""

    name = "this process"

    def __init__(
        self, opener: Opener, folder: Path, on_progress: Callable[[Job, float], None]
    ) -> None:
        self._opener, self._folder, self._on_progress = opener, folder, on_progress

    def open(self) -> None:
        """Loads what every job needs."""
        self._work = self._opener()

    def do(self, job: Job) -> Entry:
        """Tries a job once."""
        return do_job(self._work, job, self._folder, self.name, partial(self._on_progress, job))

    def close(self) -> None:
        """Nothing is left to end."""


def run_batch(
    due: Sequence[Job],
    open_workers: Callable[[], AbstractContextManager[Sequence[Worker]]],
    folder: Path,
    manifest: Manifest,
    settings: str,
    *,
    on_done: Callable[[Entry], None] = lambda entry: None,
) -> list[Entry]:
    """Does these jobs; no worker is opened where there are none. What became of each.

    ``settings`` is the SHA-256 of everything that outputs depend on beside the files. ``on_done``
    is told each entry as it is added to the manifest.
    """
    entries: list[Entry] = []

    def note(entry: Entry) -> None:
        entry = replace(entry, settings=settings)
        _remove_outdated(manifest.entries.get(entry.source), entry, folder)
        manifest.add(entry)
        entries.append(entry)
        on_done(entry)

    if due:
        remove_stale(due, folder)
        try:
            with open_workers() as workers:
                share_out(due, workers, note)
        finally:
            remove_stale(due, folder)
    manifest.close()
    return entries


def share_out(
    jobs: Sequence[Job], workers: Sequence[Worker], note: Callable[[Entry], None]
) -> None:
    """Does every job, each until it is done, failed, or was lost ``MOST_TRIES`` times."""
    if len(workers) == 1 and isinstance(workers[0], Here):  # Ctrl-C ends what the main thread does
        workers[0].open()
        for each in largest_first(jobs):
            note(workers[0].do(each))
        return
    waiting, free = deque(largest_first(jobs)), deque[Worker]()
    losses: dict[Job, list[str]] = {job: [] for job in jobs}
    pool = ThreadPoolExecutor(len(workers))
    busy: dict[Future[Entry | None], tuple[Worker, Job | None]] = {}
    try:
        busy |= {pool.submit(worker.open): (worker, None) for worker in workers}
        while waiting or any(job for _, job in busy.values()):
            while waiting and free:
                worker, next_job = free.popleft(), waiting.popleft()
                busy[pool.submit(worker.do, next_job)] = worker, next_job
            if not busy:
                for each in waiting:
                    note(_dropped(each, [*losses[each], "nowhere: no worker is left"]))
                return
            for future in wait(busy, WAIT_S, FIRST_COMPLETED).done:
                worker, job = busy.pop(future)
                try:
                    entry = future.result()
                except WorkerLostError as error:
                    if job is not None:
                        losses[job].append(f"{worker.name}: {error}")
                        if len(losses[job]) < MOST_TRIES:
                            waiting.append(job)
                        else:
                            note(_dropped(job, losses[job]))
                        busy[pool.submit(worker.open)] = worker, None
                else:
                    free.append(worker)
                    if job is not None and entry is not None:
                        note(replace(entry, tries=len(losses[job]) + 1, lost=losses[job]))
    finally:
        for worker in workers:
            worker.close()
        pool.shutdown()


def _dropped(job: Job, losses: list[str]) -> Entry:
    *earlier, last = losses
    where = last.partition(":")[0]
    return Entry.of(job, LOST, error=last, tries=len(losses), where=where, lost=earlier)


def do_job(work: Work, job: Job, folder: Path, where: str, on_progress: OnProgress) -> Entry:
    """Tries a job once. An error is its outcome; Ctrl-C is not caught."""
    start_s = time.perf_counter()
    place = folder / job.name
    # Each try has its own folder, as a worker that was given up may still be writing.
    part = place.with_name(f".{place.name}.{token_hex(_TOKEN_BYTES)}.part")
    state, error, outputs = DONE, None, {}
    try:
        part.mkdir(parents=True)
        work(job, part, on_progress)
        outputs = _move_into_place(part, folder)
    except LiveposeError as failure:
        state, error = FAILED, str(failure)
    except Exception as failure:  # the others go on; the manifest says what it was
        state, error = FAILED, f"{type(failure).__name__}: {failure}"
    finally:
        shutil.rmtree(part, ignore_errors=True)
    seconds = round(time.perf_counter() - start_s, 3)
    return Entry.of(job, state, outputs=outputs, error=error, seconds=seconds, where=where)


def _move_into_place(part: Path, folder: Path) -> dict[str, str]:
    """Moves each output to its place; their hashes by path below ``folder``."""
    outputs = {}
    for made in sorted(part.iterdir()):
        place = part.parent / made.name
        sha = file_sha256(made)
        if place.is_dir():
            shutil.rmtree(place)
        made.replace(place)
        outputs[str(place.relative_to(folder))] = str(sha)
    return outputs


def _remove_outdated(old: Entry | None, new: Entry, folder: Path) -> None:
    """Removes outputs of an earlier run of a file that this one did not write again."""
    if old is not None and new.state == DONE:
        for path, sha in old.outputs.items():
            if path not in new.outputs and file_sha256(folder / path) == sha:
                _remove(folder / path)


def remove_stale(jobs: Iterable[Job], folder: Path) -> None:
    """Removes what earlier runs of these jobs left unfinished."""
    for place in (folder / job.name for job in jobs):
        token = f"[0-9a-f]{{{2 * _TOKEN_BYTES}}}"
        unfinished = re.compile(rf"\.{re.escape(place.name)}\.{token}\.part")
        for beside in place.parent.iterdir() if place.parent.is_dir() else ():
            if unfinished.fullmatch(beside.name):
                _remove(beside)


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
