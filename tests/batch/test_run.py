"""Whole runs: by this process and by others, some of which die; what is noted and done again."""

import json
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from batch.works import Copy, contents_of, jobs_of

from livepose.batch.manifest import Entry, Manifest, read_manifest
from livepose.batch.places import HERE, cores_of, process_places
from livepose.batch.run import MOST_TRIES, remove_stale, run_batch
from livepose.errors import DataError, SinkError, WeightsError

ENTRY = Entry("in/a.mp4", "a", 10, 20, "settings", "done", {"a.jsonl": "0" * 64})


class Runs:
    """A folder of files that is run again and again."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out, self.manifest = folder / "in", folder / "out", folder / "run.jsonl"
        self.copy = Copy(folder)
        jobs_of(self.source, a="one", b="two", c="broken", d="four")

    def __call__(self, settings: str = "settings") -> tuple[str, ...]:
        """Names of the files that are current, done and failed."""
        jobs, manifest = jobs_of(self.source), Manifest(self.manifest)
        due = manifest.due(jobs, settings, self.out)
        here = nullcontext([HERE])
        entries = run_batch(due, self.copy, lambda: here, self.out, manifest, settings)
        states = {job.name: "current" for job in jobs} | {one.name: one.state for one in entries}
        return tuple(
            "".join(sorted(name for name, one in states.items() if one == state))
            for state in ("current", "done", "failed")
        )


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


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    names = (".a.12ab34cd", ".b.12ab34cd", ".a", ".a.x", ".a.b.12ab34cd")
    stale, *kept = (tmp_path / f"{name}.part" for name in names)
    for folder in (stale, *kept):
        folder.mkdir()
    (stale / "a.txt").write_text("half")
    remove_stale(jobs_of(tmp_path / "in", a="x"), tmp_path)
    assert not stale.exists()
    assert all(folder.exists() for folder in kept)


def done_by(places, copy, jobs, out) -> dict[str, Entry]:
    entries = run_batch(jobs, copy, lambda: places, out, Manifest(None), "settings")
    return {entry.name: entry for entry in entries}


def test_workers_do_the_same_as_one_process_and_load_once_each(tmp_path, monkeypatch):
    jobs = jobs_of(tmp_path / "in", **{f"f{index}": f"waits 2 text {index}" for index in range(5)})
    copy, out = Copy(tmp_path), tmp_path / "out"
    entries = done_by(process_places(2), copy, jobs, out)
    assert {entry.state for entry in entries.values()} == {"done"}
    by_workers = contents_of(out)
    notes = copy.read_notes()
    assert sum(what == "loads" for _, what in notes) == 2
    assert len({process for process, _ in notes}) == 2
    limits = {what.split(" ", 1)[1] for _, what in notes if what != "loads"}
    assert limits == {f"{cores} {len(cores)}" for cores in (cores_of(0, 2), cores_of(1, 2))}
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 4, 6, 8})
    assert [cores_of(index, 2) for index in range(2)] == [[0, 2], [4, 6, 8]]  # without a gap
    done_by(nullcontext([HERE]), copy, jobs, out)
    assert contents_of(out) == by_workers


def test_a_file_whose_worker_dies_is_tried_again_and_given_up_in_the_end(tmp_path):
    texts = {"a": "kills 1 time", "b": "kills 9 times", "c": "fine", "d": "fault", "e": "full"}
    jobs, out = jobs_of(tmp_path / "in", **texts), tmp_path / "out"
    entries = done_by(process_places(2), Copy(tmp_path), jobs, out)
    again, given_up, fault = entries["a"], entries["b"], entries["d"]
    assert (again.state, again.tries, len(again.lost)) == ("done", 2, 1)
    assert (given_up.state, given_up.tries) == ("lost", MOST_TRIES)
    for loss in (again.lost[0], *given_up.lost, given_up.error):
        assert loss.startswith("worker ") and "terminated abruptly" in loss
    assert (fault.state, fault.error) == ("failed", "ZeroDivisionError: a fault of ours")
    assert entries["e"].error.startswith(f"cannot write {out / 'e.txt'}: the disk is full")
    assert set(contents_of(out)) == {"a.txt", "a.parts/1", "c.txt", "c.parts/1"}


def test_what_every_file_needs_is_refused_once(tmp_path):
    jobs = jobs_of(tmp_path / "in", a="x", b="y")
    with pytest.raises(WeightsError, match="weights are missing; fetch them"):
        done_by(process_places(1), Copy(tmp_path, refuses=True), jobs, tmp_path / "out")


def test_lines_are_added_as_files_are_done_and_in_the_end_there_is_one_a_source(tmp_path):
    path, other = tmp_path / "run.jsonl", replace(ENTRY, source="b")
    manifest = Manifest(path)
    for entry in (replace(ENTRY, state="failed", error="broken"), other, ENTRY):
        manifest.add(entry)
    assert len(path.read_text().splitlines()) == 3
    with path.open("a") as file:
        file.write('{"source": "killed in the mid')
    assert read_manifest(path) == {"in/a.mp4": ENTRY, "b": other}
    manifest = Manifest(path)
    manifest.add(replace(ENTRY, source="c"))
    manifest.close()
    sources = [json.loads(line)["source"] for line in path.read_text().splitlines()]
    assert sources == ["b", "c", "in/a.mp4"]


@pytest.mark.parametrize("text", ["no json\n", "[1]\n", '{"livepose": {}}\n'])
def test_another_file_is_never_taken_for_a_manifest(text, tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="is not a manifest"):
        Manifest(path)
    assert path.read_text() == text
    with pytest.raises(SinkError, match="create it first"):
        Manifest(tmp_path / "none" / "run.jsonl").add(ENTRY)
