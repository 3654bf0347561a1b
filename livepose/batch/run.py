"""A whole run: what is current is left alone, the rest is done, and all of it is noted.

Jobs go to workers, the largest first; what a dead worker left is tried elsewhere.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.batch.manifest import DONE, LOST, Entry, Manifest, file_sha256
from livepose.batch.work import Outcome, lost, remove, remove_stale

MOST_TRIES = 3
WAIT_S = 0.5


@dataclass(eq=False)
class Worker:
    """Who does one job at a time."""

    job: Job | None = None
    is_ready: bool = False
    """Whether it has loaded what every job needs."""

    @property
    def is_idle(self) -> bool:
        """Whether it could take a job now."""
        return self.job is None


class Slots:
    """The workers of a run."""

    workers: Sequence[Worker] = ()

    def idle(self) -> list[Any]:
        """Those that could take a job now; the ones that have loaded come first."""
        return sorted(
            (one for one in self.workers if one.is_idle), key=lambda one: not one.is_ready
        )

    def start(self, job: Job) -> None:
        """Gives a job to an idle one."""
        raise NotImplementedError

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What was finished or lost; empty when nothing was for so long."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends them all; a second call does nothing."""


class OwnSlot(Slots):
    """The one worker that is this process itself: a job is done while one waits for it."""

    def __init__(self, do: Callable[[Job], Outcome]) -> None:
        self._do, self._own = do, Worker(is_ready=True)
        self.workers = [self._own]

    def start(self, job: Job) -> None:
        """Takes the job."""
        self._own.job = job

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Does it."""
        job, self._own.job = self._own.job, None
        return [] if job is None else [self._do(job)]


OnDone = Callable[[Outcome, int, list[str]], None]
"""Told each last outcome, its number of tries, and what became of the earlier ones."""


def run_jobs(jobs: Sequence[Job], slots: Slots, on_done: OnDone) -> None:
    """Does every job, each until it is done, failed, or was lost ``MOST_TRIES`` times."""
    waiting = deque(sorted(jobs, key=lambda job: (-job.size, job.name)))
    tries: Counter[Job] = Counter()
    losses: dict[Job, list[str]] = {}
    while waiting or len(slots.idle()) < len(slots.workers):
        while waiting and slots.idle():
            job = waiting.popleft()
            tries[job] += 1
            slots.start(job)
        if not slots.workers:  # nobody is left who could do it
            for job in waiting:
                on_done(lost(job, "nowhere", "no worker is left"), tries[job], losses.get(job, []))
            return
        for outcome in slots.wait(WAIT_S):
            job = outcome.job
            if outcome.state == LOST and tries[job] < MOST_TRIES:
                losses.setdefault(job, []).append(outcome.error or "lost")
                waiting.append(job)
            else:
                on_done(outcome, tries[job], losses.get(job, []))


@dataclass(slots=True)
class Report:
    """What became of the files of one run."""

    current: list[Job] = field(default_factory=list)
    """Done by an earlier run, and not changed since."""
    done: list[Entry] = field(default_factory=list)
    failed: list[Entry] = field(default_factory=list)


def split_current(
    jobs: Sequence[Job], manifest: Manifest, settings: str, folder: Path
) -> tuple[list[Job], list[Job]]:
    """The jobs that are current, and those that have to be done."""
    current: list[Job] = []
    due: list[Job] = []
    for job in jobs:
        entry = manifest.entries.get(job.source)
        is_current = entry is not None and entry.is_current(job, settings, folder)
        (current if is_current else due).append(job)
    return current, due


def run_batch(
    jobs: Sequence[Job],
    open_slots: Callable[[], Slots],
    folder: Path,
    manifest: Manifest,
    settings: str,
    *,
    on_done: Callable[[Entry], None] = lambda entry: None,
) -> Report:
    """Does the jobs that are missing or changed; nothing is opened where there are none.

    Parameters
    ----------
    settings : str
        SHA-256 of everything that outputs depend on beside the files.
    on_done : callable
        Told each entry as it is added to the manifest.
    """
    remove_stale(jobs, folder)
    current, due = split_current(jobs, manifest, settings, folder)
    report = Report(current)

    def note(outcome: Outcome, tries: int, losses: list[str]) -> None:
        job = outcome.job
        entry = Entry(
            *(job.source, job.name, job.size, job.mtime_ns, settings, outcome.state),
            *(outcome.outputs, outcome.error, tries, outcome.seconds, outcome.where, losses),
        )
        remove_outdated(manifest.entries.get(entry.source), entry, folder)
        manifest.add(entry)
        (report.done if entry.state == DONE else report.failed).append(entry)
        on_done(entry)

    if due:
        slots = open_slots()
        try:
            run_jobs(due, slots, note)
        finally:
            slots.close()
            remove_stale(due, folder)
    manifest.close()
    return report


def remove_outdated(old: Entry | None, new: Entry, folder: Path) -> None:
    """Removes outputs of an earlier run of a file that this one did not write again."""
    if old is None or new.state != DONE:
        return
    for path, sha in old.outputs.items():
        if path not in new.outputs and file_sha256(folder / path) == sha:
            remove(folder / path)
