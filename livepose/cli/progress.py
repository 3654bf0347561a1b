"""A progress bar that says people, frames a second and time left."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from livepose.frame import Frame
from livepose.poses import Poses


class FrameProgress:
    """Progress over the frames of a file; their number is only an estimate, or unknown."""

    def __init__(self, frame_count: int | None) -> None:
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[people]} people, {task.fields[fps]:.1f} fps"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task("frames", total=frame_count, people=0, fps=0.0)

    def __enter__(self) -> "FrameProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, frame: Frame, poses: Poses, fps: float) -> None:
        """One more frame is done."""
        self._progress.update(self._task, advance=1, people=len(poses), fps=fps)
