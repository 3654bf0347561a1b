"""``livepose in/ --output-dir out --json ...``: many files on the command line."""

import json

import cv2
import polars
import pytest
from batch.works import contents_of
from fakes import clip, scene_image

from livepose import read
from livepose.batch.manifest import read_manifest
from livepose.cli import main

LOST, USAGE = 3, 2


def test_a_folder_is_sorted_out_and_a_broken_file_stops_no_other(make_pipeline, tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    for name, left in (("mon/walk", 60), ("tue/walk", 90), ("tue/run", 120)):
        clip(source / f"{name}.mp4", left)
    for name in ("1.jpg", "2024-05-01.jpg"):
        cv2.imwrite(str(source / name), scene_image(100))
    (source / "mon" / "broken.mp4").write_bytes(b"no clip")
    (source / "mon" / "notes.txt").write_text("a note")
    outputs = ("--json", "--csv", "--output", "--angles")
    assert main([str(source), "--recursive", "--output-dir", str(out), *outputs]) == LOST
    assert set(contents_of(out)) == {
        *(f"in{end}" for end in (".jsonl", ".csv", ".angles.csv")),
        *(f"in_drawn/{name}.jpg" for name in ("1", "2024-05-01")),
        *(
            f"{name}{end}"
            for name in ("mon/walk", "tue/walk", "run")
            for end in (".jsonl", ".csv", ".angles.csv", ".mp4")
        ),
    }
    said = capsys.readouterr().err
    assert "notes.txt (neither video nor image)" in said
    assert said.count("broken.mp4") == 1
    assert "4 done, 1 failed" in said
    walk = read(out / "mon" / "walk.jsonl")
    assert len(walk) == 12 and walk.header["angles"][0] == "left_knee"


def test_all_that_can_be_written_is_written_by_name(make_pipeline, tmp_path):
    source = clip(tmp_path / "walk.mp4")
    outputs = (
        *("--json", "--csv", "--openpose-json", "--coco-json", "--sheet", "--trc", "--mot"),
        *("--parquet", "--coco-dataset", "--yolo-pose", "--angles", "--rate", "15"),
    )
    out = tmp_path / "out"
    assert main([str(source), "--output-dir", str(out), *outputs]) == 0
    assert {path.name for path in out.iterdir()} == {
        *(f"walk{end}" for end in (".jsonl", ".csv", ".coco.json", ".sheet.png", ".parquet")),
        *("walk.angles.csv", "walk.angles.parquet", "walk.dataset.json"),
        *("walk_openpose", "walk_yolo", "walk_person1.trc", "walk_person1.mot"),
    }
    assert "\n15\t15\t6\t19\tpx\t" in (out / "walk_person1.trc").read_text()
    assert len(polars.read_parquet(out / "walk.angles.parquet")) == 12 * 19


def test_a_rerun_does_what_is_missing_or_changed_and_reads_what_shards_noted(
    make_pipeline, tmp_path, capsys
):
    sources = [str(clip(tmp_path / f"{name}.mp4", frames=30)) for name in ("walk", "run")]
    manifest, out = tmp_path / "run.jsonl", tmp_path / "out"
    words = [*sources, "--output-dir", str(out), "--json", "--manifest", str(manifest)]
    words += ["--start", "0.2", "--end", "0.6", "--step", "3"]
    for shard in (1, 2):
        assert main([*words, "--shard", f"{shard}/2"]) == 0
        assert len(list(out.iterdir())) == shard
    assert not manifest.exists()
    assert read(out / "walk.jsonl").time_s.tolist() == pytest.approx([0.2, 0.3, 0.4, 0.5])
    capsys.readouterr()
    for change, says in (
        (lambda: None, "livepose: 2 unchanged"),
        ((out / "run.jsonl").unlink, "1 done, 1 unchanged"),
        (lambda: words.extend(("--smooth", "none")), "2 done; noted in"),
    ):
        change()
        assert main(words) == 0
        assert says in capsys.readouterr().err


def test_what_is_there_already_is_not_replaced_unasked(make_pipeline, tmp_path, capsys):
    source, out = clip(tmp_path / "walk.mp4"), tmp_path / "out"
    out.mkdir()
    words = [str(source), "--output-dir", str(out), "--json", "--csv", "--angles", "--trc"]
    for name in ("walk.jsonl", "walk.angles.csv", "walk_person7.trc"):
        (out / name).write_text("dear to somebody")
        assert main(words) == USAGE
        assert f"{name} is there already" in capsys.readouterr().err
        assert contents_of(out) == {name: b"dear to somebody"}
        (out / name).unlink()
    (out / "walk.jsonl").write_text("dear to somebody")
    assert main([*words, "--overwrite"]) == 0
    assert len(read(out / "walk.jsonl")) == 12
    assert main([str(source), "--output-dir", str(tmp_path), "--output", "--overwrite"]) == USAGE
    assert "walk.mp4 is an input itself" in capsys.readouterr().err


def test_sources_without_anything_are_said(tmp_path, said):
    (tmp_path / "in").mkdir()
    for name, words in (("in", "neither a video nor an image"), ("nowhere", "does not exist")):
        assert main([str(tmp_path / name), "--output-dir", str(tmp_path), "--json"]) == LOST
        assert words in said[-1]


@pytest.mark.slow
def test_two_workers_give_the_bytes_of_one(shared, tmp_path, capsys):
    """With the real networks."""
    clips = [shared / "video" / name for name in ("one_frame.mp4", "portrait.mp4", "garbage.mp4")]
    outs = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        words = [
            *(*map(str, clips), "--end", "0.4", "--output-dir", str(out), "--json", "--csv"),
            *("--angles", "--detector", "none", "--precision", "f32", "--workers", workers),
            *("--manifest", str(tmp_path / f"{workers}.jsonl")),
        ]
        assert main(words) == LOST
        assert "2 done, 1 failed" in capsys.readouterr().err
        outs.append(contents_of(out))
    assert outs[0] == outs[1]
    assert len(outs[0]) == 6
    entries = read_manifest(tmp_path / "2.jsonl").values()
    assert {entry.where for entry in entries} <= {"worker 1", "worker 2"}
    header = json.loads(outs[0]["portrait.jsonl"].splitlines()[0])["livepose"]
    assert "started_utc" not in header
