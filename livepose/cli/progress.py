"""Progress bars on stderr; nothing where nobody watches."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from livepose.batch.jobs import Job
    from livepose.frame import Frame
    from livepose.poses import Poses


def _bars(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    columns = (*columns, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def frame_progress(frame_count: int | None) -> "Iterator[Callable[[Frame, Poses, float], None]]":
    """Progress over the frames of a file; their number is only an estimate, or unknown."""
    words = TextColumn("{task.fields[people]} people, {task.fields[fps]:.1f} fps")
    with _bars(BarColumn(), MofNCompleteColumn(), words) as bars:
        task = bars.add_task("frames", total=frame_count, people=0, fps=0.0)
        yield lambda frame, poses, fps: bars.update(task, advance=1, people=len(poses), fps=fps)


class FilesProgress:
    """Progress over many files, by their size; there as long as the work in its block."""

    def __init__(self, total_bytes: int, files: int) -> None:
        self._files, self._finished, self._bytes = files, 0, 0
        self._total = max(total_bytes, 1)
        self._shares: dict[str, float] = {}
        self._start_s = time.perf_counter()
        self._bars = _bars(BarColumn(), TextColumn("{task.description}, {task.percentage:.0f} %"))
        self._task = self._bars.add_task(f"0/{files} files", total=self._total)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def share(self, job: "Job", share: float) -> None:
        """A file is done so far, 0 to 1."""
        self._shares[job.source] = share * job.size
        self._show()

    def done(self, size: int, source: str) -> None:
        """A file is done, or given up."""
        self._shares.pop(source, None)
        self._finished += 1
        self._bytes += size
        self._show()

    def words(self) -> str:
        """``3/20, 2 min left``."""
        spent_s = time.perf_counter() - self._start_s
        left_s = spent_s * (self._total - self._bytes) / max(self._bytes, 1)
        left = f"{left_s:.0f} s" if left_s < 100 else f"{left_s / 60:.0f} min"
        known = self._bytes and self._finished < self._files
        return f"{self._finished}/{self._files}" + (f", {left} left" if known else "")

    def _show(self) -> None:
        completed = self._bytes + sum(self._shares.values())
        files = f"{self._finished}/{self._files} files"
        self._bars.update(self._task, completed=completed, description=files)


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for bytes that come."""
    with _bars(TextColumn(name), BarColumn(), DownloadColumn()) as bars:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """A bar for each pass over data."""
    with _bars(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bars:

        def start(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=total)
            return lambda count: bars.advance(task, count)

        yield start
