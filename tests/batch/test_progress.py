"""Progress over many files, by their size, with the time that is left."""

import pytest

from livepose.batch.jobs import Job
from livepose.cli.progress import FilesProgress


def job(name: str, size: int) -> Job:
    return Job(name, name, "video", (name,), size, 0)


def test_the_time_left_is_that_of_the_bytes_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("livepose.cli.progress.time.perf_counter", lambda: now_s[0])
    with FilesProgress(400, 3) as progress:
        assert progress.words() == "0/3"
        now_s[0] = 130.0
        progress.done(100, "a")
        assert progress.words() == "1/3, 90 s left"
        progress.share(job("b", 200), 0.5)
        now_s[0] = 1000.0
        progress.done(200, "b")
        assert progress.words() == "2/3, 5 min left"
        progress.done(100, "c")
        assert progress.words() == "3/3"


def test_files_of_no_bytes_are_no_division_by_zero() -> None:
    with FilesProgress(0, 1) as progress:
        progress.done(0, "empty")
        assert progress.words() == "1/1"
