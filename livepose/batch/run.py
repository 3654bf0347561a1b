"""A whole run: the jobs that are due, the largest first, each noted as soon as it is over.

A job is done in a hidden folder beside its place and moved there, whatever happens meanwhile; what
a dead worker left is tried elsewhere.
"""

import logging
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from livepose.batch.jobs import Job, largest_first
from livepose.batch.manifest import DONE, FAILED, LOST, Entry, Manifest, content_sha256
from livepose.batch.places import Place
from livepose.errors import LiveposeError
from livepose.sinks.sink import written

logger = logging.getLogger(__name__)
MOST_TRIES = 3
_WAIT_S = 0.5
"""Waiting without end cannot be interrupted everywhere."""
_TOKEN_BYTES = 4

Work = Callable[[Job, Path], None]
"""Does a job: its outputs, under the last part of its name, into a folder that is there."""
Opener = Callable[[], Work]
"""Loads what every job needs; picklable."""
_work: Work
"""What a worker has loaded, in its own process."""


def run_batch(
    due: Sequence[Job],
    opener: Opener,
    open_places: Callable[[], AbstractContextManager[Sequence[Place]]],
    folder: Path,
    manifest: Manifest,
    settings: str,
    *,
    on_done: Callable[[Entry], None] = lambda entry: None,
) -> list[Entry]:
    """Does these jobs; no worker is started where there are none. What became of each.

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
            with open_places() as places:
                _share_out(due, opener, places, folder.absolute(), note)
        finally:
            remove_stale(due, folder)
    manifest.close()
    return entries


def _share_out(
    jobs: Sequence[Job],
    opener: Opener,
    places: Sequence[Place],
    folder: Path,
    note: Callable[[Entry], None],
) -> None:
    """Does every job, each until it is done, failed, or was lost ``MOST_TRIES`` times."""
    waiting, losses = deque(largest_first(jobs)), {job: list[str]() for job in jobs}
    free: deque[tuple[Place, Executor]] = deque()
    busy: dict[Future[Any], tuple[Place, Executor, Job | None]] = {}

    def hand_out(place: Place, executor: Executor, job: Job | None) -> None:
        asked = (_load, opener) if job is None else (_do_job, job, folder, place.name)
        try:
            future = executor.submit(*asked)
        except place.lost as error:  # it died while it waited
            future = Future()
            future.set_exception(error)
        busy[future] = place, executor, job

    for place in places:
        hand_out(place, place.start(), None)
    while waiting or any(job for *_, job in busy.values()):
        while waiting and free:
            hand_out(*free.popleft(), waiting.popleft())
        if not busy:
            for job in waiting:
                losses[job].append("nowhere: no worker is left; is there memory enough?")
                note(_lost_entry(job, losses[job]))
            return
        for future in wait(busy, _WAIT_S, FIRST_COMPLETED).done:
            place, executor, done = busy.pop(future)
            try:
                entry = future.result()
            except place.lost as error:
                said = str(error).strip() or type(error).__name__
                why = said.splitlines()[0].partition(". ")[0]
                logger.warning(f"{place.name} was lost: {why}")
                if done is not None:  # one that died while it loaded is not started again
                    losses[done].append(f"{place.name}: {why}")
                    if len(losses[done]) < MOST_TRIES:
                        waiting.append(done)
                    else:
                        note(_lost_entry(done, losses[done]))
                    hand_out(place, place.start(), None)
                continue
            if isinstance(entry, LiveposeError):
                raise entry
            free.append((place, executor))
            if done is not None:
                note(replace(entry, tries=len(losses[done]) + 1, lost=losses[done]))


def _lost_entry(job: Job, losses: list[str]) -> Entry:
    *earlier, last = losses
    where = last.partition(":")[0]
    return Entry.of(job, LOST, error=last, tries=len(losses), where=where, lost=earlier)


def _load(opener: Opener) -> LiveposeError | None:
    """In a worker: loads what every job needs; the error that stops all, if any."""
    global _work
    try:
        _work = opener()
    except LiveposeError as error:
        return type(error)(str(error))
    return None


def _do_job(job: Job, folder: Path, where: str) -> Entry:
    """In a worker: tries a job once. An error is its outcome; Ctrl-C is not caught."""
    start_s = time.perf_counter()
    place = folder / job.name
    # Each try has its own folder, as a worker that was given up may still be writing.
    part = place.with_name(f".{place.name}.{token_hex(_TOKEN_BYTES)}.part")
    state, error, outputs = DONE, None, {}
    try:
        with written(place):
            part.mkdir(parents=True)
        _work(job, part)
        with written(place):
            outputs = _move_into_place(part, folder)
    except LiveposeError as failure:
        state, error = FAILED, str(failure)
    except Exception as failure:  # the others go on; the manifest says what it was
        state, error = FAILED, f"{type(failure).__name__}: {failure}"
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if error is not None:  # of outputs where they were to be
        error = error.replace(str(part), str(place.parent))
    seconds = round(time.perf_counter() - start_s, 3)
    return Entry.of(job, state, outputs=outputs, error=error, seconds=seconds, where=where)


def _move_into_place(part: Path, folder: Path) -> dict[str, str]:
    """Moves each output to its place; their hashes by path below ``folder``."""
    outputs = {}
    for made in sorted(part.iterdir()):
        place = part.parent / made.name
        sha = content_sha256(made)
        if place.is_dir():
            shutil.rmtree(place)
        made.replace(place)
        outputs[str(place.relative_to(folder))] = str(sha)
    return outputs


def _remove_outdated(old: Entry | None, new: Entry, folder: Path) -> None:
    """Removes outputs of an earlier run of a file that this one did not write again."""
    if old is not None and new.state == DONE:
        for path, sha in old.outputs.items():
            if path not in new.outputs and content_sha256(folder / path) == sha:
                _remove(folder / path)


def remove_stale(jobs: Iterable[Job], folder: Path) -> None:
    """Removes what earlier runs of these jobs left unfinished."""
    for place in (folder / job.name for job in jobs):
        unfinished = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}\.part")
        for beside in place.parent.iterdir() if place.parent.is_dir() else ():
            if unfinished.fullmatch(beside.name):
                _remove(beside)


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
