"""Whole runs: a rerun does what is missing or changed, and nothing else."""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from batch.works import Copy

from livepose.batch.jobs import make_jobs
from livepose.batch.manifest import Manifest
from livepose.batch.places import HERE
from livepose.batch.run import run_batch
from livepose.sources import find_sources


class Runs:
    """A folder of files that is run again and again."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out, self.manifest = folder / "in", folder / "out", folder / "run.jsonl"
        self.source.mkdir()
        self.copy = Copy(folder)
        for name, text in (("a", "one"), ("b", "two"), ("c", "broken"), ("d", "four")):
            (self.source / f"{name}.mp4").write_text(text)

    def __call__(self, settings: str = "settings") -> tuple[str, ...]:
        """Names of the files that are current, done and failed."""
        jobs = make_jobs(find_sources([self.source]))
        manifest = Manifest(self.manifest)
        due = manifest.due(jobs, settings, self.out)
        here = nullcontext([HERE])
        entries = run_batch(due, self.copy, lambda: here, self.out, manifest, settings)
        current = "".join(sorted(job.name for job in jobs if job not in due))
        done, failed = (
            "".join(sorted(entry.name for entry in entries if entry.state == state))
            for state in ("done", "failed")
        )
        return current, done, failed


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_rerun_does_what_is_missing_or_changed_and_nothing_else(runs):
    assert runs() == ("", "abd", "c")
    assert runs() == ("abd", "", "c")
    (runs.source / "c.mp4").write_text("mended")
    assert runs() == ("abd", "c", "")
    notes = runs.copy.read_notes()
    assert runs() == ("abcd", "", "")
    assert runs.copy.read_notes() == notes  # nothing is even loaded
    os.utime(runs.source / "a.mp4", (1, 1))
    (runs.out / "b.txt").unlink()
    (runs.out / "d.parts" / "1").write_text("changed by hand")
    (runs.source / "e.mp4").write_text("new")
    assert runs() == ("c", "abde", "")
    assert (runs.out / "d.parts" / "1").read_text() == "four"
    assert runs("other settings") == ("", "abcde", "")


def test_ctrl_c_leaves_what_is_done_noted_and_nothing_half_done(runs, monkeypatch):
    real = Copy.work

    def stops(self, job, part) -> None:
        if job.name == "b":
            (part / "half").write_text("half")
            raise KeyboardInterrupt
        real(self, job, part)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Copy, "work", stops)
        runs()
    assert not list(runs.out.rglob("half"))
    assert len(Manifest(runs.manifest).entries) == 3  # those that are larger, and the one before it
    assert runs()[0] == "ad"
