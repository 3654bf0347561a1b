"""Jobs done by this process and by others, some of which die."""

from collections.abc import Callable
from pathlib import Path

import pytest
from batch.works import Copy, contents_of

from livepose.batch.jobs import Job
from livepose.batch.processes import Processes, cores_of
from livepose.batch.run import MOST_TRIES, Slots, run_jobs
from livepose.batch.work import Outcome, part_folder, remove_stale
from livepose.errors import WeightsError

Results = dict[str, tuple[Outcome, int, list[str]]]


@pytest.fixture
def make_jobs(tmp_path: Path) -> Callable[..., list[Job]]:
    def make(**texts: str) -> list[Job]:
        (tmp_path / "in").mkdir()
        (tmp_path / "out").mkdir()
        paths = {name: tmp_path / "in" / f"{name}.mp4" for name in texts}
        for name, path in paths.items():
            path.write_text(texts[name])
        return [
            Job(str(path), name, "video", (str(path),), path.stat().st_size, 0)
            for name, path in paths.items()
        ]

    return make


def done_by(slots: Slots, jobs: list[Job]) -> Results:
    results: Results = {}
    try:
        run_jobs(jobs, slots, lambda *noted: results.update({noted[0].job.name: noted}))
    finally:
        slots.close()
    return results


def test_each_file_is_done_and_a_broken_one_stops_no_other(make_jobs, tmp_path: Path) -> None:
    jobs = make_jobs(a="hello", b="broken clip", c="fault", d="world!!")
    results = done_by(Copy(tmp_path).here(tmp_path / "out"), jobs)
    states = {name: outcome.state for name, (outcome, _, _) in results.items()}
    assert states == {"a": "done", "b": "failed", "c": "failed", "d": "done"}
    assert results["b"][0].error == f"{jobs[1].source} is broken"
    assert results["c"][0].error == "ZeroDivisionError: a fault of ours"
    assert contents_of(tmp_path / "out") == {
        "a.parts/1": b"hello",
        "a.txt": b"HELLO",
        "d.parts/1": b"world!!",
        "d.txt": b"WORLD!!",
    }
    assert set(results["a"][0].outputs) == {"a.txt", "a.parts"}


def test_the_largest_file_comes_first(make_jobs, tmp_path: Path) -> None:
    jobs = make_jobs(a="x", b="x" * 100, c="x" * 10)
    assert list(done_by(Copy(tmp_path).here(tmp_path / "out"), jobs)) == ["b", "c", "a"]


def test_workers_do_the_same_as_one_process_and_load_once_each(make_jobs, tmp_path: Path) -> None:
    jobs = make_jobs(**{f"f{index}": f"slow 0.2 text {index}" for index in range(8)})
    copy = Copy(tmp_path)
    results = done_by(Processes(copy, tmp_path / "out", 2), jobs)
    assert {outcome.state for outcome, _, _ in results.values()} == {"done"}
    by_workers = contents_of(tmp_path / "out")
    notes = copy.read_notes()
    assert sum(what == "loads" for _, what in notes) == 2
    assert len({process for process, _ in notes}) == 2
    limits = {what.split(" ", 1)[1] for _, what in notes if what != "loads"}
    assert limits == {f"{cores} {len(cores)}" for cores in (cores_of(0, 2), cores_of(1, 2))}
    done_by(copy.here(tmp_path / "out"), jobs)
    assert contents_of(tmp_path / "out") == by_workers


def test_a_file_whose_worker_dies_is_tried_again_and_given_up_in_the_end(
    make_jobs, tmp_path: Path
) -> None:
    jobs = make_jobs(a="kills 1 time", b="kills 9 times", c="fine")
    results = done_by(Processes(Copy(tmp_path), tmp_path / "out", 2), jobs)
    outcome, tries, losses = results["a"]
    assert (outcome.state, tries, len(losses)) == ("done", 2, 1)
    assert "died with exit code -9" in losses[0]
    outcome, tries, losses = results["b"]
    assert (outcome.state, tries, len(losses)) == ("lost", MOST_TRIES, MOST_TRIES - 1)
    assert results["c"][0].state == "done"
    assert set(contents_of(tmp_path / "out")) >= {"a.txt", "c.txt"}
    assert not (tmp_path / "out" / "b.txt").exists()


def test_what_every_file_needs_is_refused_once(make_jobs, tmp_path: Path) -> None:
    jobs = make_jobs(a="x", b="y")
    with pytest.raises(WeightsError, match="weights are missing; fetch them"):
        done_by(Processes(Copy(tmp_path, refuses=True), tmp_path / "out", 2), jobs)


def test_cores_are_shared_out_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 4, 6, 8}, raising=False)
    assert [cores_of(index, 2) for index in range(2)] == [[0, 2], [4, 6, 8]]
    assert [cores_of(index, 7) for index in range(7)] == [[0], [2], [4], [6], [8], [0], [2]]
    assert cores_of(0, 1) == [0, 2, 4, 6, 8]


def test_what_a_killed_run_left_is_removed_and_nothing_else(make_jobs, tmp_path: Path) -> None:
    (job, other) = make_jobs(a="x", b="y")
    out = tmp_path / "out"
    stale = part_folder(job, out)
    kept = [part_folder(other, out), out / ".a.part", out / ".a.x.part", out / ".a.b.12ab34cd.part"]
    for folder in (stale, *kept):
        folder.mkdir()
    (stale / "a.txt").write_text("half")
    assert remove_stale([job], out) == 1
    assert not stale.exists()
    assert all(folder.exists() for folder in kept)
