"""Work that tests do with files: what a file says is what happens."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from livepose.batch.jobs import Job, make_jobs
from livepose.errors import SourceError, WeightsError
from livepose.sinks.sink import sink_error
from livepose.sources import find_sources


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
        (part / f"{job.name}.txt").write_text(text.upper())
        match what:
            case "broken":
                raise SourceError(f"{job.source} is broken")
            case "full":
                raise sink_error(part / f"{job.name}.txt", OSError(errno.ENOSPC, "full"))
            case "fault":
                raise ZeroDivisionError("a fault of ours")
            case "waits":
                while len({process for process, _ in self.read_notes()}) < int(number):
                    time.sleep(0.02)
                time.sleep(0.2)
            case "until":
                while not (self.notes / number).exists():
                    time.sleep(0.02)
            case "kills":
                tries = sum(said.startswith(f"{job.name} ") for _, said in self.read_notes())
                if tries <= int(number):
                    os.kill(os.getpid(), signal.SIGKILL)
        (part / f"{job.name}.parts").mkdir()
        (part / f"{job.name}.parts" / "1").write_text(text)

    def note(self, what: str) -> None:
        with (self.notes / "notes").open("a") as file:
            file.write(f"{os.getpid()} {what}\n")

    def read_notes(self) -> list[list[str]]:
        return [line.split(" ", 1) for line in (self.notes / "notes").read_text().splitlines()]


def jobs_of(folder: Path, **texts: str) -> list[Job]:
    """A file for each of these texts, and the jobs of all files that are there."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.mp4").write_text(text)
    return make_jobs(find_sources([folder]))


def contents_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
