"""The one command: baselines in turn, one JSON, one table, targets judged as they fall."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import FakeRuntime

from benchmarks import document as documents
from benchmarks import gpu
from benchmarks.__main__ import main
from benchmarks.baseline_rounds import measure_baselines
from benchmarks.baselines import AbsentError, Entry, Opened, entries
from benchmarks.curves import paced
from benchmarks.memory import measure
from benchmarks.plan import QUICK
from benchmarks.rounds import Length, ratio
from benchmarks.table import markdown, put_into
from benchmarks.targets import Target, targets
from livepose.benchmark.scene import WalkingPeople
from livepose.frame import Frame


class Counting:
    """Notes what it saw; finds nobody."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def before_round(self) -> None:
        """Nothing."""

    def take(self, frame: Frame) -> int:
        self.seen.append(int(frame.image_bgr.sum(dtype=np.int64)))
        return 0


def entry(key: str, system: Counting | None = None) -> Entry:
    def opened(people: int) -> Opened:
        return Opened(system or Counting(), "none", "1.0", "a note")

    return Entry(key, f"the {key}", opened)


def missing(people: int) -> Opened:
    raise AbsentError("its file is on another machine")


def measured(livepose_fps: float, baseline_fps: float, people: int = 1) -> dict[str, Any]:
    def row(fps: float) -> dict[str, Any]:
        band = {"median": fps, "q1": fps - 1, "q3": fps + 1, "count": 5}
        rounds = [fps * share for share in (0.98, 0.99, 1.0, 1.01, 1.02)]
        return {"fps": band, "frame_ms": band, "people_found": 1.0, "rounds_fps": rounds}

    rows = {"livepose": row(livepose_fps), "straightforward": row(baseline_fps)}
    properties = {"title": "x", "weights": "w", "accuracy": "30.0", "note": "n"}
    return {
        "people": people,
        "rows": rows,
        "entries": {"livepose": properties, "straightforward": properties},
        "absent": {"mediapipe": {"title": "MediaPipe Pose", "why": "it is not installed"}},
    }


def documented(name: str, part: dict[str, Any]) -> dict[str, Any]:
    return documents.merged(documents.read(Path("nowhere.json")), name, part)


def test_every_baseline_sees_the_same_pixels_in_turn():
    first, second = Counting(), Counting()
    part = measure_baselines(1, [entry("a", first), entry("b", second)], QUICK)
    common = min(len(first.seen), len(second.seen))
    assert common >= QUICK.rounds + 1
    assert first.seen[:common] == second.seen[:common]
    assert part["rows"]["a"]["fps"]["count"] == QUICK.rounds
    assert part["pixels"] != measure_baselines(4, [entry("a")], QUICK)["pixels"]


def test_a_baseline_that_is_missing_has_a_row_that_says_why():
    gone = Entry("gone", "the lost one", missing)
    part = measure_baselines(1, [entry("a"), gone], QUICK)
    assert part["absent"]["gone"]["why"] == "its file is on another machine"
    text = markdown(documented("baselines-1", part))
    assert "| the lost one |  | not measured: its file is on another machine |" in text


def test_targets_are_judged_by_the_ratio_and_missing_baselines_stay_listed():
    parts = {"baselines-1": measured(100.0, 9.0), "baselines-4": measured(80.0, 9.0, people=4)}
    by_name = {one.what: one for one in targets(parts)}
    assert by_name["frames/s against the straightforward pipeline, one person"].verdict == "met"
    lost = by_name["frames/s against the straightforward pipeline, four people"]
    assert lost.verdict == "not met"
    assert lost.measured == pytest.approx(80 / 9)
    unmeasured = by_name["frames/s against ultralytics predict(), one person"]
    assert (unmeasured.measured, unmeasured.verdict) == (None, "")


@pytest.mark.parametrize(
    ("interval", "at_least", "verdict"),
    [
        ((5.8, 6.1), True, "not told apart"),
        ((6.1, 6.3), True, "met"),
        ((5.5, 5.9), True, "not met"),
        ((5.5, 5.9), False, "met"),
        ((6.0, 6.0), True, "met"),
    ],
)
def test_a_target_knows_its_direction_and_its_noise(interval, at_least, verdict):
    middle = sum(interval) / 2
    assert Target("x", 6.0, middle, "times", at_least, interval).verdict == verdict


def test_the_ratio_of_rounds_is_sure_where_both_are_slow_in_the_same_rounds():
    theirs = [10.0, 5.0, 9.0, 11.0, 7.0]
    assert ratio([6 * fps for fps in theirs], theirs) == pytest.approx((6.0, 6.0, 6.0))
    middle, low, high = ratio([60.0] * 5, theirs)
    assert low < 6.5 < middle < high
    assert ratio([1.0], [1.0]) is None


def test_every_part_has_its_section():
    times = {"header_s": 1.5, "first_pose_s": 1.7, "cpu_s": 2.0}
    band = {"median": 10.0, "q1": 9.0, "q3": 11.0, "count": 3}
    point = {"at": 4, "fps": band, "age_ms": band}
    document = documented("baselines-1", measured(8.0, 10.0))
    for name, part in {
        "network": {"precision": "f32", "batches": {"4": {"runtime_ms": band, "bare_ms": band}}},
        "startup": {"first_start": times, "later_starts_median": times},
        "curves-people": {"points": [point]},
        "curves-budget": {"points": [point]},
        "memory": {"growth_percent": 0.5, "frames": 108_000},
    }.items():
        document = documents.merged(document, name, part)
    text = markdown(document)
    assert "| 4 | 10.00 [9.00, 11.00] | 10.00 [9.00, 11.00] |" in text
    assert "| later, median | 1.5 | 1.7 | 2.0 |" in text
    assert "| people, --target-fps 15 | 4 | 10.0 [9.0, 11.0] | 10 [9, 11] |" in text
    assert "| frames | 108000 |" in text
    network = next(one for one in document["targets"] if one["what"].startswith("pose network"))
    assert (network["measured"], network["verdict"]) == (100.0, "met")


def test_parts_are_completed_one_by_one_and_another_machines_are_let_go(tmp_path):
    path = tmp_path / "figures.json"
    document = documents.merged(documents.read(path), "baselines-1", measured(8.0, 10.0))
    document = documents.merged(document, "memory", {"growth_percent": 0.5})
    documents.write(document, path)
    again = documents.read(path)
    assert set(again["parts"]) == {"baselines-1", "memory"}
    assert again["parts"]["baselines-1"]["commit"] == documents.commit()
    memory = next(one for one in again["targets"] if one["what"].startswith("memory"))
    assert memory["verdict"] == "met"
    again["machine"]["processor"] = "another"
    assert set(documents.merged(again, "memory", {})["parts"]) == {"memory"}


def test_the_repositorys_readme_is_what_its_json_says(tmp_path):
    published = documents.ROOT / "docs" / "benchmarks.json"
    document = documents.read(published)
    if document["parts"]:
        assert published.with_suffix(".md").read_text() == markdown(document)
    readme = (documents.ROOT / "README.md").read_text()
    copy = tmp_path / "README.md"
    copy.write_text(readme)
    assert put_into(copy, document)
    assert copy.read_text() == readme


def test_the_command_writes_one_json_one_table_and_a_image(make_pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "ENTRIES", (entry("livepose"), entry("b")))
    path = tmp_path / "figures.json"
    words = ["--quick", "--json", str(path), "--readme", str(tmp_path / "none.md"), "--only"]
    assert main([*words, "baselines-1", "stages", "curves-people"]) == 0
    document = json.loads(path.read_text())
    assert set(document["parts"]) == {"baselines-1", "stages", "curves-people"}
    assert document["machine"]["processor"]
    assert "Where the time goes" in path.with_suffix(".md").read_text()
    assert cv2.imread(str(tmp_path / "benchmark-curves.png")).shape[1] > 1000


def test_a_paced_camera_gives_the_newest_frame_once(monkeypatch):
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds + 1e-6

    clock = SimpleNamespace(perf_counter=lambda: now[0], sleep=sleep)
    monkeypatch.setattr("benchmarks.curves.time", clock)
    frames = paced(list(WalkingPeople(0, 3)), 10.0)
    first = next(frames)
    now[0] += 0.35  # three frames pass meanwhile
    second = next(frames)
    third = next(frames)  # at once: waits for the next one
    assert [one.index for one in (first, second, third)] == [0, 3, 4]
    assert second.dropped == 2
    assert second.captured_s == pytest.approx(100.3)
    assert now[0] == pytest.approx(100.4, abs=1e-3)


def test_the_gpu_part_rehearsed_with_stand_ins_measures_every_figure(
    make_pipeline, tmp_path, monkeypatch, capsys
):
    plan = replace(QUICK, rounds=1, length=Length(least=2, most=2), runs=1)
    monkeypatch.setattr(gpu, "QUICK", plan)
    monkeypatch.setattr(gpu, "open_runtime", lambda *_: FakeRuntime())
    monkeypatch.setattr("livepose.benchmark.run.WARM_UP_FRAMES", 1)
    monkeypatch.setattr("livepose.benchmark.run.DEFAULT_FRAMES", 4)
    path = tmp_path / "gpu.json"
    words = ["--quick", "--device", "cpu", "--detector", "none", "--json", str(path)]
    assert gpu.main(words) == 0
    part = json.loads(path.read_text())["parts"]["gpu"]
    assert set(part["end_to_end"]) == {"1", "4"}
    for row in part["end_to_end"].values():
        assert row["fps"] > 0 and row["p95_ms"] >= row["p50_ms"] > 0
    assert part["network"]["f32"]["ms"] > 0 and part["network"]["f32"]["crops_per_s"] > 0
    assert "commit" in part
    assert "| GPU, network, batch 1 | ≤ 1.5 ms |" in capsys.readouterr().out


def test_memory_stays_flat_while_people_come_and_go():
    # The grey image does not change where somebody leaves, so that propagation would keep them.
    told = measure(300, at_once=4, pose_every_frame=True)
    assert told["frames"] == 300
    assert told["people_in_all"] >= 6
    assert told["growth"] < 0.02
