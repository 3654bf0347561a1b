"""Jobs done by this process and by others, some of which die."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from batch.works import Copy, contents_of

from livepose.batch.jobs import Job
from livepose.batch.manifest import Entry, Manifest
from livepose.batch.places import HERE, cores_of, process_places
from livepose.batch.run import MOST_TRIES, remove_stale, run_batch
from livepose.errors import WeightsError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def make_jobs(tmp_path: Path) -> Callable[..., list[Job]]:
    def make(**texts: str) -> list[Job]:
        paths = {name: tmp_path / f"{name}.mp4" for name in texts}
        for name, path in paths.items():
            path.write_text(texts[name])
        return [
            Job(str(path), name, "video", (str(path),), path.stat().st_size, 0)
            for name, path in paths.items()
        ]

    return make


def done_by(places, copy: Copy, jobs: list[Job], out: Path) -> dict[str, Entry]:
    entries = run_batch(jobs, copy, lambda: places, out, Manifest(None), "settings")
    return {entry.name: entry for entry in entries}


def test_workers_do_the_same_as_one_process_and_load_once_each(
    make_jobs, out, tmp_path, monkeypatch
):
    jobs = make_jobs(**{f"f{index}": f"waits 2 text {index}" for index in range(5)})
    copy = Copy(tmp_path)
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


def test_a_file_whose_worker_dies_is_tried_again_and_given_up_in_the_end(make_jobs, out, tmp_path):
    jobs = make_jobs(a="kills 1 time", b="kills 9 times", c="fine", d="fault", e="full")
    entries = done_by(process_places(2), Copy(tmp_path), jobs, out)
    again, given_up, fault = entries["a"], entries["b"], entries["d"]
    assert (again.state, again.tries, len(again.lost)) == ("done", 2, 1)
    assert (given_up.state, given_up.tries) == ("lost", MOST_TRIES)
    for loss in (again.lost[0], *given_up.lost, given_up.error):
        assert loss.startswith("worker ") and "terminated abruptly" in loss
    assert (fault.state, fault.error) == ("failed", "ZeroDivisionError: a fault of ours")
    assert entries["e"].error.startswith(f"cannot write {out / 'e.txt'}: the disk is full")
    assert set(contents_of(out)) == {"a.txt", "a.parts/1", "c.txt", "c.parts/1"}


def test_what_every_file_needs_is_refused_once(make_jobs, out, tmp_path):
    with pytest.raises(WeightsError, match="weights are missing; fetch them"):
        done_by(process_places(1), Copy(tmp_path, refuses=True), make_jobs(a="x", b="y"), out)


def test_what_a_killed_run_left_is_removed_and_nothing_else(make_jobs, out):
    stale = out / ".a.12ab34cd.part"
    kept = [out / one for one in (".b.12ab34cd.part", ".a.part", ".a.x.part", ".a.b.12ab34cd.part")]
    for folder in (stale, *kept):
        folder.mkdir()
    (stale / "a.txt").write_text("half")
    remove_stale(make_jobs(a="x"), out)
    assert not stale.exists()
    assert all(folder.exists() for folder in kept)
