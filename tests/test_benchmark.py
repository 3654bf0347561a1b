"""The benchmark measures what it says, and tells what became slower from what only trembles."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.benchmark.run import BenchmarkSettings, bottleneck, measure
from livepose.benchmark.scene import CameraPath, WalkingPeople
from livepose.cli import main
from livepose.errors import SourceError
from livepose.frame import StageClock


def test_a_stage_entered_twice_in_a_frame_counts_as_its_sum():
    clock = StageClock()
    for _ in range(3):
        with clock.frame():
            for _ in range(2):
                with clock.stage("track"):
                    pass
    assert [list(frame_ms) for frame_ms in clock.frames_ms] == [["track"]] * 3
    assert clock.median_ms("track") >= 0
    assert np.isnan(clock.median_ms("unknown"))


def test_the_people_of_a_made_scene_stand_where_it_says():
    scene = WalkingPeople(3, 60)
    empty = WalkingPeople(0, 60).image(0)
    for index in (0, 30):
        changed = np.abs(scene.image(index).astype(int) - empty).max(axis=2) > 25
        for left, top, right, bottom in scene.boxes_xyxy(index).astype(int):
            assert changed[max(top, 0) : bottom, max(left, 0) : right].mean() > 0.6
    assert (scene.boxes_xyxy(0) != scene.boxes_xyxy(20)).any()


def test_the_camera_moves_and_its_times_are_even():
    camera = CameraPath(seconds_per_shot=0.2)
    frames = list(camera)
    assert len(frames) == camera.frame_count
    assert np.allclose(np.diff([frame.time_s for frame in frames]), 1 / 30)
    assert np.abs(frames[0].image_bgr.astype(int) - frames[5].image_bgr).mean() > 1


@pytest.mark.parametrize("people", [0, 1, 5])
def test_as_many_people_are_measured_as_were_asked_for(make_pipeline, people):
    asked = BenchmarkSettings(people=people, frames=30, size_wh=(400, 304))
    result = measure(make_pipeline(), asked)
    assert (result.frames, result.size_wh) == (30, (400, 304))
    assert result.people_per_frame == pytest.approx(people, abs=0.3)
    assert result.crops_per_s == pytest.approx(result.fps * result.people_per_frame)
    stages = sum(stage["mean"] for name, stage in result.stages_ms.items() if name != "draw")
    assert 0.5 * result.latency_ms["mean"] < stages <= 1.01 * result.latency_ms["mean"]
    assert 1e3 / result.fps >= result.latency_ms["mean"]


def test_the_slowest_stage_is_named_by_its_mean():
    stages = {"detect": {"mean": 8.0, "p50": 0.0}, "network": {"mean": 2.0, "p50": 2.0}}
    assert bottleneck(stages) == "the bottleneck is detect: 8.0 ms a frame, 80 % of the time"


def test_a_video_too_short_for_the_warm_up_is_refused(make_pipeline, shared):
    asked = BenchmarkSettings(source=str(shared / "video" / "one_frame.mp4"))
    with pytest.raises(SourceError, match="got 1; give a longer video"):
        measure(make_pipeline(), asked)


def test_the_demo_leaves_a_video_lines_and_a_sheet(make_pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("livepose.benchmark.scene.CameraPath", lambda: CameraPath(0.3))
    folder = tmp_path / "new"
    assert main(["demo", "--folder", str(folder)]) == 0
    video, lines, sheet = (folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png"))
    assert video.stat().st_size > 1000
    assert len(lines.read_text().splitlines()) == 1 + CameraPath(0.3).frame_count
    assert cv2.imread(str(sheet)).shape[1] == 1280


def test_a_part_of_a_video_is_measured_from_the_command_line(make_pipeline, shared, capsys):
    clip = str(shared / "video" / "crowd.mp4")
    part = ["--start", "0.5", "--end", "4", "--frames", "20"]
    for words in (["--video", clip], ["--source", clip], [clip]):
        assert main(["--benchmark", *words, *part]) == 0
        assert "the detector looked at" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "words",
    ["--video a --people 2", "--image a.jpg", "a.mp4 b.mp4", "--json", "--csv a", "--workers 2"],
)
def test_what_cannot_be_measured_is_a_wrong_use(words):
    assert main(["--benchmark", *words.split()]) == 2


@pytest.mark.parametrize("name", ["figures.json", "-"])
def test_figures_go_to_a_file_or_alone_to_stdout(
    make_pipeline, tmp_path, monkeypatch, capsys, name
):
    monkeypatch.chdir(tmp_path)
    assert main(["--benchmark", "--people", "1", "--frames", "20", "--json", name]) == 0
    printed = capsys.readouterr().out
    figures = json.loads(printed if name == "-" else Path(name).read_text())
    assert figures["bottleneck"] in " ".join(printed.split())
    assert set(figures["machine"]) >= {"processor", "device", "runtime", "versions"}
    assert figures["spread"]["fps"]["count"] == 10
    stages = {"detect", "track", "crop", "network", "decode", "smooth", "draw"}
    assert stages < set(figures["spread"])
