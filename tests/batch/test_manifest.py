"""The manifest: what is done, and what has to be done again."""

import json
from dataclasses import replace

import pytest

from livepose.batch.manifest import Entry, Manifest, read_manifest
from livepose.errors import DataError, SinkError

DONE = Entry("in/a.mp4", "a", 10, 20, "settings", "done", {"a.jsonl": "0" * 64})


def test_lines_are_added_as_files_are_done_and_in_the_end_there_is_one_a_source(tmp_path):
    path = tmp_path / "run.jsonl"
    manifest = Manifest(path)
    for entry in (replace(DONE, state="failed", error="broken"), replace(DONE, source="b"), DONE):
        manifest.add(entry)
    assert len(path.read_text().splitlines()) == 3
    with path.open("a") as file:
        file.write('{"source": "killed in the mid')
    assert read_manifest(path) == {"in/a.mp4": DONE, "b": replace(DONE, source="b")}
    manifest = Manifest(path)
    manifest.add(replace(DONE, source="c"))
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
        Manifest(tmp_path / "none" / "run.jsonl").add(DONE)
