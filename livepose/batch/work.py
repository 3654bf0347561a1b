"""One job: done beside its place, then moved there, whatever happens meanwhile."""

import re
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from livepose.batch.jobs import Job
from livepose.batch.manifest import DONE, FAILED, LOST, file_sha256
from livepose.errors import LiveposeError

OnProgress = Callable[[float], None]
"""Told which share of the job is done, 0 to 1."""
Work = Callable[[Job, Path, OnProgress], None]
"""Does a job: its outputs, under the last part of its name, into a folder that is there."""
Opener = Callable[[], Work]
"""Loads what every job needs; picklable."""
_TOKEN_BYTES = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try."""

    job: Job
    state: str
    error: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    where: str = ""


def do_job(work: Work, job: Job, folder: Path, where: str, on_progress: OnProgress) -> Outcome:
    """Tries a job once. An error is its outcome; Ctrl-C is not caught."""
    start_s = time.perf_counter()
    part = part_folder(job, folder)
    try:
        part.mkdir(parents=True)
        work(job, part, on_progress)
        outputs = move_into_place(part, folder)
        state, error = DONE, None
    except Exception as failure:  # the others go on; the manifest says what it was
        outputs, state, error = {}, FAILED, sentence(failure)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Outcome(job, state, error, outputs, round(time.perf_counter() - start_s, 3), where)


def sentence(failure: BaseException) -> str:
    """An error in words; with its kind where it is not one of livepose's own."""
    own = isinstance(failure, LiveposeError)
    return str(failure) if own else f"{type(failure).__name__}: {failure}"


def lost(job: Job, where: str, why: str) -> Outcome:
    """The outcome of a job whose worker died."""
    return Outcome(job, LOST, f"{where}: {why}", where=where)


def part_folder(job: Job, folder: Path) -> Path:
    """Where a try writes: each its own, as a worker that was given up may still be writing."""
    place = folder / job.name
    return place.with_name(f".{place.name}.{token_hex(_TOKEN_BYTES)}.part")


def move_into_place(part: Path, folder: Path) -> dict[str, str]:
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


def remove(path: Path) -> None:
    """Removes a file or folder, if it can be."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_stale(jobs: Iterable[Job], folder: Path) -> int:
    """Removes what earlier runs of these jobs left unfinished; how many there were."""
    stale = [
        entry
        for job in jobs
        for place in [folder / job.name]
        if place.parent.is_dir()
        for entry in place.parent.iterdir()
        if _is_part_of(entry.name, place.name)
    ]
    for entry in stale:
        remove(entry)
    return len(stale)


def _is_part_of(entry: str, name: str) -> bool:
    token = f"[0-9a-f]{{{2 * _TOKEN_BYTES}}}"
    return re.fullmatch(rf"\.{re.escape(name)}\.{token}\.part", entry) is not None
