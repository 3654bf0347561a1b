"""Hands jobs to workers, largest first, and tries elsewhere what a dead worker left."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Protocol

from livepose.batch.jobs import Job
from livepose.batch.manifest import LOST
from livepose.batch.work import Outcome, lost

MOST_TRIES = 3


class Slots(Protocol):
    """Workers that do jobs, one each at a time."""

    def free(self) -> int:
        """How many could take a job now."""

    def busy(self) -> int:
        """How many have one."""

    def start(self, job: Job) -> None:
        """Gives a job to a free one."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What was finished or lost; empty when nothing was for so long."""

    def close(self) -> None:
        """Ends them all; a second call does nothing."""


OnDone = Callable[[Outcome, int, list[str]], None]
"""Told each last outcome, its number of tries, and what became of the earlier ones."""

WAIT_S = 0.5


def run_jobs(jobs: Sequence[Job], slots: Slots, on_done: OnDone) -> None:
    """Does every job, each until it is done, failed, or was lost ``MOST_TRIES`` times."""
    waiting = deque(sorted(jobs, key=lambda job: (-job.size, job.name)))
    tries: Counter[Job] = Counter()
    losses: dict[Job, list[str]] = {}
    while waiting or slots.busy():
        while waiting and slots.free():
            job = waiting.popleft()
            tries[job] += 1
            slots.start(job)
        if not slots.busy():  # nobody is left who could do it
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


class OwnSlot:
    """The one worker that is this process itself."""

    def __init__(self, do: Callable[[Job], Outcome]) -> None:
        self._do = do
        self._given: Job | None = None

    def free(self) -> int:
        """One, unless it has a job."""
        return int(self._given is None)

    def busy(self) -> int:
        """Whether it has a job."""
        return int(self._given is not None)

    def start(self, job: Job) -> None:
        """Takes the job; it is done while one waits for it."""
        self._given = job

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Does the job."""
        given, self._given = self._given, None
        return [] if given is None else [self._do(given)]

    def close(self) -> None:
        """Nothing to end."""
