"""Progress bars on stderr; nothing where nobody watches."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from livepose.frame import Frame
    from livepose.poses import Poses

NAME = TextColumn("{task.description}")


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


@contextmanager
def files_progress(
    sizes: Mapping[str, int], done: Collection[str] = ()
) -> Iterator[Callable[[str, float], str]]:
    """Progress over files by their bytes; told a file and how much of it is done.

    It says ``3/20, 0:02:10 left``. Some may have been ``done`` before.
    """
    shares = {source: float(source in done) for source in sizes}
    total, before = sum(sizes.values()), sum(sizes[one] for one in done)
    start_s = time.perf_counter()
    with _bars(BarColumn(), NAME, TaskProgressColumn()) as bars:
        task = bars.add_task("files", total=max(total, 1))

        def told(source: str, share: float) -> str:
            shares[source] = share
            files = f"{sum(one == 1.0 for one in shares.values())}/{len(sizes)}"
            completed = sum(share * sizes[one] for one, share in shares.items())
            bars.update(task, completed=completed, description=f"{files} files")
            if not before < completed < total:
                return files
            spent_s = time.perf_counter() - start_s
            left_s = round(spent_s * (total - completed) / (completed - before))
            return f"{files}, {timedelta(seconds=left_s)} left"

        yield told


@contextmanager
def download_bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar for bytes that come."""
    with _bars(NAME, BarColumn(), DownloadColumn()) as bars:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """A bar for each pass over data."""
    with _bars(NAME, BarColumn(), MofNCompleteColumn()) as bars:

        def start(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=total)
            return lambda count: bars.advance(task, count)

        yield start
