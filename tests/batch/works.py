"""Work that tests do with files: what a file says is what happens."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from livepose.batch.jobs import Job
from livepose.errors import SourceError, WeightsError


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
        self.note(
            f"{job.name} {sorted(os.sched_getaffinity(0))} {os.environ.get('OMP_NUM_THREADS')}"
        )
        text = Path(job.paths[0]).read_text()
        stem = Path(job.name).name
        (part / f"{stem}.txt").write_text(text.upper())
        if text.startswith("broken"):
            raise SourceError(f"{job.source} is broken")
        if text.startswith("fault"):
            raise ZeroDivisionError("a fault of ours")
        kills = int(text.split()[1]) if text.startswith("kills") else 0
        if kills >= self.tries_of(job):
            os.kill(os.getpid(), signal.SIGKILL)
        if text.startswith("slow"):
            time.sleep(float(text.split()[1]))
        (part / f"{stem}.parts").mkdir()
        (part / f"{stem}.parts" / "1").write_text(text)

    def note(self, what: str) -> None:
        with (self.notes / "notes").open("a") as file:
            file.write(f"{os.getpid()} {what}\n")

    def read_notes(self) -> list[list[str]]:
        return [line.split(" ", 1) for line in (self.notes / "notes").read_text().splitlines()]

    def tries_of(self, job: Job) -> int:
        return sum(what.startswith(f"{job.name} ") for _, what in self.read_notes())


def contents_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
