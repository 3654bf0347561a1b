"""Work that tests do with files: what a file says is what happens."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from livepose.batch.jobs import Job
from livepose.errors import SourceError, WeightsError
from livepose.sinks.sink import sink_error


@dataclass(frozen=True)
class Copy:
    """Copies a file into upper case; notes beside the files who loaded and who did what."""

    notes: Path
    refuses: bool = False

    def __call__(self):
        if self.refuses:
            raise WeightsError("weights are missing; fetch them")
        self.note("loads")
        return self.work

    def work(self, job: Job, part: Path) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.note(f"{job.name} {cores} {os.environ.get('OMP_NUM_THREADS')}")
        text = Path(job.paths[0]).read_text()
        what, number = (*text.split(), "")[:2]
        stem = Path(job.name).name
        (part / f"{stem}.txt").write_text(text.upper())
        if what == "broken":
            raise SourceError(f"{job.source} is broken")
        if what == "full":
            raise sink_error(part / f"{stem}.txt", OSError(errno.ENOSPC, "full"))
        if what == "fault":
            raise ZeroDivisionError("a fault of ours")
        while what == "waits" and len({process for process, _ in self.read_notes()}) < int(number):
            time.sleep(0.02)
        time.sleep(0.2 if what == "waits" else 0.0)
        while what == "until" and not (self.notes / number).exists():
            time.sleep(0.02)
        tries = sum(said.startswith(f"{job.name} ") for _, said in self.read_notes())
        if what == "kills" and tries <= int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        (part / f"{stem}.parts").mkdir()
        (part / f"{stem}.parts" / "1").write_text(text)

    def note(self, what: str) -> None:
        with (self.notes / "notes").open("a") as file:
            file.write(f"{os.getpid()} {what}\n")

    def read_notes(self) -> list[list[str]]:
        return [line.split(" ", 1) for line in (self.notes / "notes").read_text().splitlines()]


def contents_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
