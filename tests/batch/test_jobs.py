"""Jobs: their names, how they are shared out, and how much of them is done."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from livepose.batch.jobs import Job, make_jobs, shard, unique_names
from livepose.cli.progress import files_progress
from livepose.errors import SourceError
from livepose.sources import find_sources


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["mon/a.mp4", "tue/a.mp4", "tue/a.b.mp4"], ["mon/a", "tue/a", "a.b"]),
        (["in/a.mp4", "in/a.mov"], ["a.mp4", "a.mov"]),
        (["in/a.mp4", "in/A.mp4", "b.mp4"], [None, None, "b"]),
        (["in/../in/a.mp4", "other/a.mp4"], ["in/a", "other/a"]),
        (["walk.mp4", "walk"], ["walk.mp4", "walk"]),
    ],
    ids=["folders", "suffixes", "capitals", "detour", "a clip and a folder"],
)
def test_equal_names_keep_what_tells_them_apart(paths, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("walk").mkdir()
    found = list(unique_names([Path(path) for path in paths]).values())
    assert len(set(found)) == len(paths)
    assert all(".." not in name and not name.startswith("/") for name in found)
    assert all(want is None or want == got for want, got in zip(expected, found, strict=True))


def test_videos_are_jobs_and_the_images_of_a_folder_are_one(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="neither a video nor an image"):
        make_jobs(find_sources([tmp_path]))
    for name in ("b.mp4", "a.jpg", "c.png"):
        (tmp_path / name).write_bytes(b"x" * len(name))
    os.utime(tmp_path / "c.png", (2e9, 2e9))
    images, video = sorted(make_jobs(find_sources([tmp_path])), key=lambda job: job.kind)
    told = images.kind, images.source, images.name
    assert told == ("images", str(tmp_path), tmp_path.name)
    assert [Path(path).name for path in images.paths] == ["a.jpg", "c.png"]
    assert (images.size, images.mtime_ns) == (10, 2_000_000_000 * 10**9)
    assert (video.kind, video.name, video.size) == ("video", "b", 5)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_each_job_is_in_exactly_one_shard_and_sizes_are_even(count):
    every = [
        Job(f"{index}.mp4", str(index), "video", (f"{index}.mp4",), size, 0)
        for index, size in enumerate((*range(1, 41), 0, 0))
    ]
    shards = [shard(every, index, count) for index in range(1, count + 1)]
    assert sorted(one.name for part in shards for one in part) == sorted(one.name for one in every)
    sizes = [sum(one.size for one in part) for part in shards]
    assert max(sizes) - min(sizes) <= 40


def test_files_are_counted_and_the_time_left_is_that_of_the_bytes_left(monkeypatch):
    now_s = [100.0]
    clock = SimpleNamespace(perf_counter=lambda: now_s[0])
    monkeypatch.setattr("livepose.cli.progress.time", clock)
    with files_progress({"a": 100, "b": 300, "done": 900}, ["done"]) as told:
        now_s[0] = 130.0
        assert told("a", 0.5) == "1/3, 0:03:30 left"
        assert told("a", 1.0) == "2/3, 0:01:30 left"
        assert told("b", 1.0) == "3/3"
