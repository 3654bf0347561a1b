"""Jobs: their names, and how they are shared out."""

import os
from pathlib import Path

import pytest

from livepose.batch.jobs import Job, make_jobs, parse_shard, shard, unique_names
from livepose.errors import SourceError, UsageError
from livepose.sources import find_sources


def names(*paths: str) -> list[str]:
    return list(unique_names([Path(path) for path in paths]).values())


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["in/a.mp4", "in/b.mov"], ["a", "b"]),
        (["mon/a.mp4", "tue/a.mp4", "tue/b.mp4"], ["mon/a", "tue/a", "b"]),
        (["x/mon/a.mp4", "y/mon/a.mp4"], ["x/mon/a", "y/mon/a"]),
        (["in/a.mp4", "in/a.mov"], ["a.mp4", "a.mov"]),
        (["in/a.mp4", "in/A.mp4", "b.mp4"], [None, None, "b"]),
        (["in/../in/a.mp4", "other/a.mp4"], ["in/a", "other/a"]),
        (["a.b.mp4"], ["a.b"]),
    ],
)
def test_equal_names_keep_what_tells_them_apart(paths: list[str], expected: list) -> None:
    found = names(*paths)
    assert len(set(found)) == len(paths)
    assert all(".." not in name and not name.startswith("/") for name in found)
    assert all(want is None or want == got for want, got in zip(expected, found, strict=True))


def test_a_film_and_a_folder_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    found = unique_names([tmp_path / "walk.mp4", tmp_path / "walk"])
    assert list(found.values()) == ["walk.mp4", "walk"]


def test_videos_are_jobs_and_the_pictures_of_a_folder_are_one(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.jpg", "c.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x" * len(name))
    os.utime(tmp_path / "c.png", (2e9, 2e9))
    pictures, video = sorted(make_jobs(find_sources([tmp_path])), key=lambda job: job.kind)
    assert (pictures.kind, pictures.source, pictures.name) == (
        "images",
        str(tmp_path),
        tmp_path.name,
    )
    assert [Path(path).name for path in pictures.paths] == ["a.jpg", "c.png"]
    assert (pictures.size, pictures.mtime_ns) == (10, 2_000_000_000 * 10**9)
    assert (video.kind, video.name, video.size) == ("video", "b", 5)


def test_a_folder_without_videos_and_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="neither a video nor a picture"):
        make_jobs(find_sources([tmp_path]))


def jobs(*sizes: int) -> list[Job]:
    return [
        Job(f"{i}.mp4", str(i), "video", (f"{i}.mp4",), size, 0) for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_job_is_in_exactly_one_shard_and_sizes_are_even(count: int) -> None:
    every = jobs(*range(1, 41), 0, 0)
    shards = [shard(every, index, count) for index in range(1, count + 1)]
    assert sorted(job.name for one in shards for job in one) == sorted(job.name for job in every)
    sizes = [sum(job.size for job in one) for one in shards]
    assert max(sizes) - min(sizes) <= 40
    assert shards == [shard(every, index, count) for index in range(1, count + 1)]


def test_shards_are_counted_from_one() -> None:
    assert parse_shard("2/8") == (2, 8)
    for text in ("0/8", "9/8", "2", "2/", "/8", "a/b", "1/0", "-1/2", "²/3"):
        with pytest.raises(UsageError, match="expected I/N"):
            parse_shard(text)
