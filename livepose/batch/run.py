"""A whole run: what is current is left alone, the rest is done, and all of it is noted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from livepose.batch.jobs import Job
from livepose.batch.manifest import DONE, Entry, Manifest, file_sha256
from livepose.batch.schedule import Slots, run_jobs
from livepose.batch.work import Outcome, remove, remove_stale


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
        entry = entry_of(outcome, settings, tries, losses)
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


def entry_of(outcome: Outcome, settings: str, tries: int, losses: list[str]) -> Entry:
    """What the manifest says of an outcome."""
    job = outcome.job
    return Entry(
        source=job.source,
        name=job.name,
        size=job.size,
        mtime_ns=job.mtime_ns,
        settings=settings,
        state=outcome.state,
        outputs=outcome.outputs,
        error=outcome.error,
        tries=tries,
        seconds=outcome.seconds,
        where=outcome.where,
        lost=losses,
    )
