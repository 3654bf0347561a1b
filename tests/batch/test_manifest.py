"""The manifest: what is done, and what has to be done again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from livepose.batch.jobs import Job
from livepose.batch.manifest import Entry, Manifest, file_sha256, read_manifest
from livepose.errors import DataError, SinkError

JOB = Job("in/a.mp4", "a", "video", ("in/a.mp4",), 10, 20)


@pytest.fixture
def done(tmp_path: Path) -> Entry:
    (tmp_path / "a.jsonl").write_text("results")
    (tmp_path / "a_parts").mkdir()
    (tmp_path / "a_parts" / "1").write_text("one")
    outputs = {name: str(file_sha256(tmp_path / name)) for name in ("a.jsonl", "a_parts")}
    return Entry("in/a.mp4", "a", 10, 20, "settings", "done", outputs)


def test_a_file_is_current_until_anything_of_it_changes(done: Entry, tmp_path: Path) -> None:
    def is_current(entry: Entry = done, job: Job = JOB, settings: str = "settings") -> bool:
        return entry.is_current(job, settings, tmp_path)

    assert is_current()
    for changed in (replace(JOB, size=11), replace(JOB, mtime_ns=21), replace(JOB, name="in/a")):
        assert not is_current(job=changed)
    assert not is_current(settings="other settings")
    assert not is_current(replace(done, state="failed"))
    (tmp_path / "a_parts" / "1").write_text("changed")
    assert not is_current()
    (tmp_path / "a_parts" / "1").write_text("one")
    (tmp_path / "a.jsonl").unlink()
    assert not is_current()


def test_lines_are_added_as_files_are_done_and_in_the_end_there_is_one_a_source(
    done: Entry, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    manifest = Manifest(path)
    for entry in (replace(done, state="failed", error="broken"), replace(done, source="b"), done):
        manifest.add(entry)
    assert len(path.read_text().splitlines()) == 3
    assert read_manifest(path)["in/a.mp4"] == done
    manifest.close()
    sources = [json.loads(line)["source"] for line in path.read_text().splitlines()]
    assert sources == ["b", "in/a.mp4"]
    assert Manifest(path).entries["in/a.mp4"] == done
    assert Manifest(path).owned_outputs() == {"a.jsonl", "a_parts"}


def test_a_line_that_a_killed_run_left_unfinished_does_not_count(
    done: Entry, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    Manifest(path).add(done)
    with path.open("a") as file:
        file.write('{"source": "b", "na')
    assert set(read_manifest(path)) == {"in/a.mp4"}
    manifest = Manifest(path)
    manifest.add(replace(done, source="c"))
    manifest.close()
    assert set(read_manifest(path)) == {"in/a.mp4", "c"}


def test_shards_write_a_file_each_and_read_those_of_the_others(done: Entry, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for index, source in ((1, "in/a.mp4"), (2, "b")):
        manifest = Manifest(path, (index, 2))
        manifest.add(replace(done, source=source))
        manifest.close()
    written = sorted(one.name for one in tmp_path.glob("run*"))
    assert written == ["run.1-of-2.jsonl", "run.2-of-2.jsonl"]
    assert set(Manifest(path).entries) == set(Manifest(path, (1, 2)).entries) == {"in/a.mp4", "b"}
    assert set(read_manifest(tmp_path / "run.2-of-2.jsonl")) == {"b"}


@pytest.mark.parametrize("text", ["no json\n", "[1]\n", '{"a": 1}\n', '{"livepose": {}}\n', "3\n"])
def test_another_file_is_never_taken_for_a_manifest(text: str, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="is not a manifest"):
        Manifest(path)
    assert path.read_text() == text


def test_a_manifest_that_cannot_be_written_is_said(done: Entry, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="create it first"):
        Manifest(tmp_path / "none" / "run.jsonl").add(done)
    in_memory = Manifest(None)
    in_memory.add(done)
    in_memory.close()
    assert in_memory.entries == {"in/a.mp4": done}
