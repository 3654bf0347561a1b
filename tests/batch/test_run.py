"""Whole runs: a rerun does what is missing or changed, and nothing else."""

import os
from pathlib import Path

import pytest
from batch.works import Copy

from livepose.batch.jobs import make_jobs, shard
from livepose.batch.manifest import Manifest
from livepose.batch.run import Report, run_batch
from livepose.batch.work import part_folder
from livepose.sources import find_sources


class Runs:
    """A folder of files that is run again and again."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out, self.manifest = folder / "in", folder / "out", folder / "run.jsonl"
        self.source.mkdir()
        self.copy = Copy(folder)
        for name, text in (("a", "one"), ("b", "two"), ("c", "broken"), ("d", "four")):
            (self.source / f"{name}.mp4").write_text(text)

    def __call__(self, settings: str = "settings", part: tuple[int, int] = (1, 1)) -> Report:
        jobs = shard(make_jobs(find_sources([self.source])), *part)
        manifest = Manifest(self.manifest, part)
        return run_batch(jobs, lambda: self.copy.here(self.out), self.out, manifest, settings)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def names(report: Report) -> tuple[str, str, str]:
    """Current, done and failed."""
    return (
        "".join(sorted(job.name for job in report.current)),
        "".join(sorted(entry.name for entry in report.done)),
        "".join(sorted(entry.name for entry in report.failed)),
    )


def test_a_rerun_does_what_is_missing_or_changed_and_nothing_else(runs: Runs) -> None:
    assert names(runs()) == ("", "abd", "c")
    assert names(runs()) == ("abd", "", "c")
    (runs.source / "c.mp4").write_text("mended")
    assert names(runs()) == ("abd", "c", "")
    loads = sum(what == "loads" for _, what in runs.copy.read_notes())
    assert names(runs()) == ("abcd", "", "")
    assert sum(what == "loads" for _, what in runs.copy.read_notes()) == loads  # nothing is opened
    os.utime(runs.source / "a.mp4", (1, 1))
    (runs.out / "b.txt").unlink()
    (runs.out / "d.parts" / "1").write_text("changed by hand")
    (runs.source / "e.mp4").write_text("new")
    assert names(runs()) == ("c", "abde", "")
    assert (runs.out / "d.parts" / "1").read_text() == "four"
    assert names(runs("other settings")) == ("", "abcde", "")


def test_shards_do_every_file_once_and_a_run_of_all_has_nothing_left(runs: Runs) -> None:
    (runs.source / "c.mp4").write_text("fine")
    first, second = runs(part=(1, 2)), runs(part=(2, 2))
    assert sorted(names(first)[1] + names(second)[1]) == list("abcd")
    assert names(runs()) == ("abcd", "", "")


def test_what_a_killed_run_left_is_gone_at_the_start(runs: Runs) -> None:
    job = make_jobs(find_sources([runs.source]))[0]
    for _ in range(2):
        part_folder(job, runs.out).mkdir(parents=True)
    runs()
    assert not list(runs.out.glob(".*"))


def test_ctrl_c_leaves_what_is_done_noted_and_nothing_half_done(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Copy.work

    def stops(self, job, part, on_progress) -> None:
        if job.name == "b":
            (part / "half").write_text("half")
            raise KeyboardInterrupt
        real(self, job, part, on_progress)

    monkeypatch.setattr(Copy, "work", stops)
    with pytest.raises(KeyboardInterrupt):
        runs()
    done = set(Manifest(runs.manifest).entries)
    assert not list(runs.out.rglob("half"))
    assert len(done) == 3  # those that are larger, and the one before it
    monkeypatch.setattr(Copy, "work", real)
    assert names(runs())[0] == "ad"
