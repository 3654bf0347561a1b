"""What is there already is never lost, and an input never harmed."""

import json
import os
import re
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sinks.people import frame, poses

from livepose.errors import SinkError, UsageError
from livepose.results.tables import CsvSink
from livepose.sinks.annotations import CocoSink, OpenPoseSink
from livepose.sinks.claims import check_outputs
from livepose.sinks.files import parse_rotation
from livepose.sinks.images import ImageSink, SheetSink
from livepose.sinks.jsonl import JsonLinesSink, make_header
from livepose.sinks.video import VideoSink

HEADER = make_header(source="in.mp4", size_wh=(64, 48))
MAKERS = {
    "a.jsonl": lambda path, **how: JsonLinesSink(path, HEADER, **how),
    "a.csv": CsvSink,
    "a.json": CocoSink,
    "a.png": ImageSink,
    "a.mp4": VideoSink,
    "sheet.png": SheetSink,
}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_that_is_there_is_kept_unless_it_may_be_overwritten(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"earlier")
    with pytest.raises(UsageError, match="is there already; choose another name, or add --over"):
        MAKERS[name](path)
    assert path.read_bytes() == b"earlier"
    with MAKERS[name](path, overwrite=True) as sink:
        sink.write(frame(0), poses(1), frame(0).image_bgr)
    assert path.read_bytes() != b"earlier"
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("maker", [ImageSink, OpenPoseSink])
def test_a_folder_with_something_in_it_is_kept_and_an_empty_one_is_used(tmp_path, maker):
    maker(tmp_path)
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="is there already"):
        maker(tmp_path)
    maker(tmp_path, overwrite=True)


@pytest.mark.parametrize("name", MAKERS)
def test_a_planted_link_is_not_written_through(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is there already"):
        MAKERS[name](tmp_path / name)
    assert not (tmp_path / "elsewhere").exists()


def test_the_input_is_protected_by_every_name_it_has(tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(b"film")
    (tmp_path / "link.mp4").symlink_to(video)
    for name in ("v.mp4", "link.mp4", "sub/../v.mp4"):
        (tmp_path / "sub").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match="is the input itself"):
            check_outputs({"--json": tmp_path / name}, [video], overwrite=True)
    assert video.read_bytes() == b"film"


def test_two_outputs_of_one_name_are_refused_and_stdout_and_devices_are_no_names(tmp_path):
    with pytest.raises(UsageError, match="--csv and --json both write"):
        check_outputs({"--json": tmp_path / "a", "--csv": str(tmp_path / "a")})
    check_outputs(
        {"--json": "-", "--csv": "/dev/null", "--coco-json": "/dev/null", "--sheet": None}
    )
    assert names_in(tmp_path) == []


def test_outputs_are_checked_before_anything_is_loaded(tmp_path):
    (tmp_path / "old.jsonl").touch()
    with pytest.raises(UsageError, match=r"old\.jsonl is there already"):
        check_outputs({"--json": tmp_path / "old.jsonl"})
    check_outputs({"--json": tmp_path / "old.jsonl"}, rotated=["--json"])
    with pytest.raises(SinkError, match="does not exist; create it first"):
        check_outputs({"--csv": tmp_path / "nowhere" / "a.csv"})


def lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rotated_files_have_a_header_each_and_together_every_frame(tmp_path):
    path = tmp_path / "poses.jsonl"
    with JsonLinesSink(path, HEADER, rotation=parse_rotation("5KB")) as sink:
        for index in range(20):
            sink.write(frame(index), poses(1))
    files = sorted(tmp_path.iterdir(), key=lambda one: one.stat().st_mtime_ns)
    assert len(files) > 3 and path in files
    assert all(re.fullmatch(r"poses(-\d{8}T\d{6}Z(-\d+)?)?.jsonl", one.name) for one in files)
    assert all("livepose" in lines(one)[0] for one in files)
    assert all(one.stat().st_size < 10_000 for one in files)
    found = [line["frame"] for one in files for line in lines(one)[1:]]
    assert sorted(found) == list(range(20))


def test_a_restart_puts_the_old_file_aside(tmp_path):
    path = tmp_path / "a.csv"
    for _ in range(3):
        with CsvSink(path, rotation=parse_rotation("1h")) as sink:
            sink.write(frame(0), poses(1))
    assert len(list(tmp_path.iterdir())) == 3
    assert len({one.read_text() for one in tmp_path.iterdir()}) == 1


def test_a_file_is_put_aside_at_an_age(tmp_path, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    with CsvSink(tmp_path / "a.csv", rotation=parse_rotation("1h")) as sink:
        for now_s[0] in (0.0, 3599.0, 3600.0, 7199.0):
            sink.write(frame(0), poses(1))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("text", ["", "0h", "5", "1x", "-1h", "1e3MB", "inf", "1 h"])
def test_a_wrong_rotation_is_one_sentence(text):
    with pytest.raises(UsageError, match="expected a size or time such as 100MB or 1h"):
        parse_rotation(text)


def test_two_runs_with_one_coco_file_leave_a_whole_one_and_follow_no_link(tmp_path):
    (tmp_path / ".r.json.part").symlink_to(tmp_path / "victim")
    first, second = CocoSink(tmp_path / "r.json"), CocoSink(tmp_path / "r.json")
    for index in range(3):
        first.write(frame(index), poses(1))
        second.write(frame(index), poses(2))
    first.close()
    assert len(json.loads((tmp_path / "r.json").read_text())) == 3
    second.close()
    assert len(json.loads((tmp_path / "r.json").read_text())) == 6
    assert names_in(tmp_path) == [".r.json.part", "r.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "r.json").stat().st_mode) == 0o666 & ~umask


def test_pictures_of_one_number_stay_two_pictures(tmp_path):
    names = ["1.jpg", "2024-05-01.jpg", "cam1/0001.jpg", "cam2/0001.jpg", "5.jpg", "000785.jpg"]
    with CocoSink(tmp_path / "r.json") as sink:
        for index, name in enumerate(names):
            sink.write(frame(index, name=name), poses(1))
    records = json.loads((tmp_path / "r.json").read_text())
    ids = [record["image_id"] for record in records]
    assert len(set(ids)) == len(names)
    assert ids[0] == 1 and ids[5] == 785
    named = {record["image_id"]: record.get("file_name") for record in records}
    assert named[1] is None and named[ids[3]] == "cam2/0001.jpg"


@pytest.mark.parametrize("to_stdout", [False, True])
def test_a_name_that_is_not_utf_8_is_escaped(tmp_path, capsysbinary, to_stdout):
    name = os.fsdecode(b"caf\xe9.jpg")
    path = tmp_path / "a.csv"
    with CsvSink("-" if to_stdout else path) as sink:
        sink.write(frame(0, name=name), poses(1))
    data = capsysbinary.readouterr().out if to_stdout else path.read_bytes()
    assert data.decode().splitlines()[1].split(",")[2] == r"caf\udce9.jpg"


def test_the_header_has_the_start_in_utc():
    started = datetime.fromisoformat(HEADER["started_utc"])
    assert started.utcoffset().total_seconds() == 0
    assert abs((datetime.now(UTC) - started).total_seconds()) < 3600
