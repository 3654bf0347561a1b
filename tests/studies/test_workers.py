"""What is measured of workers, and the story that a manifest tells."""

from dataclasses import replace

import pytest

from livepose.batch.manifest import Entry, Manifest
from livepose.errors import GateError
from studies.workers import Measured, plot, story

ENTRY = Entry(
    "in/a.mp4", "a", 10, 20, "settings", "done", seconds=4.0, where="process 7 of node 1234abcd"
)


def written(folder, text):
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "a.jsonl").write_text(text)
    manifest = Manifest(folder / "run.jsonl")
    manifest.add(ENTRY)
    manifest.add(
        replace(ENTRY, source="in/b.mp4", tries=2, lost=["slot 1 of node 9876fedc: it died"])
    )
    manifest.close()
    return folder


def test_the_story_says_who_did_what_and_other_bytes_than_alone_fail_the_gate(tmp_path):
    both = written(tmp_path / "both", "x")
    told = story(both, written(tmp_path / "alone", "x"), 12.3)
    assert "2 files in 12 s" in told
    assert "| a.mp4 | done | 1 | 4.0 | 1234abcd |  |" in told
    assert "| b.mp4 | done | 2 | 4.0 | 1234abcd | 9876fedc |" in told
    with pytest.raises(GateError, match="differ from those of a run alone"):
        story(both, written(tmp_path / "other", "y"), 1.0)


def test_files_a_minute_are_tabled_and_plotted(tmp_path):
    runs = [
        Measured(count, ray, 30.0, 40.0, {"a": ENTRY}) for ray in (False, True) for count in (1, 2)
    ]
    assert runs[0].row == "| processes | 1 | 1 | 30.0 | 40.0 | 2.0 |"
    assert runs[3].row.startswith("| Ray, one node | 2 |")
    plot(runs, tmp_path / "workers.png")
    assert (tmp_path / "workers.png").read_bytes().startswith(b"\x89PNG")
