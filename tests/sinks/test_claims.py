"""What is there already is never lost, an input never harmed, and a failure is one sentence."""

import json
import os
import re
import resource
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from sinks.people import frame, poses

from livepose.errors import SinkError, UsageError
from livepose.poses import Poses
from livepose.results.tables import CsvSink, ParquetSink
from livepose.sinks.annotations import CocoDatasetSink, CocoSink, OpenPoseSink, YoloPoseSink
from livepose.sinks.files import parse_rotation
from livepose.sinks.images import ImageSink, SheetSink
from livepose.sinks.jsonl import JsonLinesSink
from livepose.sinks.sink import OutputClosed, check_outputs
from livepose.sinks.video import VideoSink

FILES = {
    "a.jsonl": lambda path, **how: JsonLinesSink(path, {}, **how),
    "a.csv": CsvSink,
    "a.json": CocoSink,
    "set.json": CocoDatasetSink,
    "a.parquet": ParquetSink,
    "a.png": ImageSink,
    "sheet.png": SheetSink,
    "a.mp4": VideoSink,
}
FOLDERS = (ImageSink, OpenPoseSink, YoloPoseSink)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def disk_with(room_bytes):
    """Lets no file grow beyond some bytes, as a disk does that fills up.

    Not for longer than that: the log of the tests may be a file too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_there_is_kept_unless_it_may_be_overwritten(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"earlier")
    with pytest.raises(UsageError, match="is there already; choose another name, or add --over"):
        FILES[name](path)
    assert path.read_bytes() == b"earlier"
    with FILES[name](path, overwrite=True) as sink:
        sink.write(frame(0), poses(1), frame(0).image_bgr)
    assert path.read_bytes() != b"earlier"
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("name", FILES)
def test_no_link_is_written_through_no_folder_written_to_and_none_made(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is there already"):
        FILES[name](tmp_path / name)
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(SinkError, match="does not exist; create it first"):
        FILES[name](tmp_path / "missing" / name)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    if FILES[name] is not ImageSink:
        with pytest.raises(SinkError, match="it is a folder; expected a file name"):
            FILES[name](tmp_path / name)


@pytest.mark.parametrize("maker", FOLDERS)
def test_a_folder_with_something_in_it_is_kept_and_an_empty_one_is_used(tmp_path, maker):
    maker(tmp_path)
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="is there already"):
        maker(tmp_path)
    maker(tmp_path, overwrite=True)
    with pytest.raises(SinkError, match="it is a file; expected a folder"):
        maker(tmp_path / "x")
    with pytest.raises(SinkError, match="does not exist; create it first"):
        maker(tmp_path / "missing" / "out")


def test_the_input_is_protected_by_every_name_it_has(tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(b"clip")
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "sub").mkdir()
    for name in ("v.mp4", "link.mp4", "sub/../v.mp4"):
        with pytest.raises(UsageError, match="is the input itself"):
            check_outputs({"--json": tmp_path / name}, [video], overwrite=True)
    assert video.read_bytes() == b"clip"


def test_outputs_are_checked_before_anything_is_loaded(tmp_path):
    old = tmp_path / "old.jsonl"
    old.touch()
    with pytest.raises(UsageError, match=r"old\.jsonl is there already"):
        check_outputs({"--json": old})
    check_outputs({"--json": old}, rotated=["--json"])
    with pytest.raises(SinkError, match="does not exist; create it first"):
        check_outputs({"--csv": tmp_path / "nowhere" / "a.csv"})
    with pytest.raises(UsageError, match="--csv and --json both write"):
        check_outputs({"--json": tmp_path / "a", "--csv": str(tmp_path / "a")})
    null = "/dev/null"
    check_outputs({"--json": "-", "--csv": null, "--coco-json": null, "--sheet": None})
    assert names_in(tmp_path) == ["old.jsonl"]


def test_rotated_files_have_a_header_each_and_together_every_frame(tmp_path):
    path = tmp_path / "poses.jsonl"
    for start in (0, 10):  # the second run puts aside what the first left
        with JsonLinesSink(path, {}, rotation=parse_rotation("5KB")) as sink:
            for index in range(start, start + 10):
                sink.write(frame(index), poses(1))
    files = list(tmp_path.iterdir())
    assert len(files) > 3 and path in files
    assert all(re.fullmatch(r"poses(-\d{8}T\d{6}Z(-\d+)?)?.jsonl", one.name) for one in files)
    lines = [[json.loads(line) for line in one.read_text().splitlines()] for one in files]
    assert all("livepose" in one[0] for one in lines)
    assert all(one.stat().st_size < 10_000 for one in files)
    assert sorted(line["frame"] for one in lines for line in one[1:]) == list(range(20))


def test_a_file_is_put_aside_at_an_age(tmp_path, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    with CsvSink(tmp_path / "a.csv", rotation=parse_rotation("1h")) as sink:
        for now_s[0] in (0.0, 3599.0, 3600.0, 7199.0):
            sink.write(frame(0), poses(1))
    assert len(names_in(tmp_path)) == 2


@pytest.mark.parametrize("text", ["", "0h", "5", "1x", "-1h", "1e3MB", "inf", "1 h"])
def test_a_wrong_rotation_is_one_sentence(text):
    with pytest.raises(UsageError, match="expected a size or time such as 100MB or 1h"):
        parse_rotation(text)


def test_two_runs_with_one_coco_file_leave_a_whole_one_and_follow_no_link(tmp_path):
    path = tmp_path / "r.json"
    (tmp_path / ".r.json.part").symlink_to(tmp_path / "victim")
    first, second = CocoSink(path), CocoSink(path)
    for index in range(3):
        first.write(frame(index), poses(1))
        second.write(frame(index), poses(2))
    for sink, records in ((first, 3), (second, 6)):
        sink.close()
        assert len(json.loads(path.read_text())) == records
    assert names_in(tmp_path) == [".r.json.part", "r.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_when_the_disk_fills_up_whole_lines_stay(tmp_path, name):
    sink = FILES[name](tmp_path / name)
    with disk_with(5000), pytest.raises(SinkError, match="File too large"):
        for index in range(100):
            sink.write(frame(index), poses(1))
    sink.close()
    text = (tmp_path / name).read_text()
    assert len(text.splitlines()) > 1 and text.endswith("\n")
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(SinkError, match="the disk is full; make room"):
        FILES[name](tmp_path / "full")


@pytest.mark.parametrize("at_the_end", [False, True])
@pytest.mark.parametrize("name", ["a.json", "a.parquet"])
def test_when_the_disk_fills_up_the_earlier_file_stays(tmp_path, monkeypatch, name, at_the_end):
    monkeypatch.setattr("livepose.results.tables._ROWS_TOGETHER", 100 if not at_the_end else 1e6)
    (tmp_path / name).write_text("[1]")
    sink = FILES[name](tmp_path / name, overwrite=True)
    if at_the_end:
        sink.write(frame(), poses(2))
    with disk_with(500), pytest.raises(SinkError, match="File too large"):
        for index in range(0 if at_the_end else 100):
            sink.write(frame(index), poses(1))
        sink.close()
    sink.close()
    assert (tmp_path / name).read_text() == "[1]" and names_in(tmp_path) == [name]


def test_a_full_disk_leaves_no_half_file_of_a_frame(tmp_path):
    sink = OpenPoseSink(tmp_path, "a")
    with disk_with(100), pytest.raises(SinkError, match="File too large"):
        sink.write(frame(0), poses(1))
    assert names_in(tmp_path) == []


def test_a_pipe_is_written_into_and_its_reader_may_go(tmp_path):
    path, read = tmp_path / "r.json", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    with CocoSink(path) as sink:
        sink.write(frame(7), poses(1))
    reader.join()
    assert json.loads(read[0])[0]["image_id"] == 7 and path.is_fifo()
    reader = threading.Thread(target=lambda: path.open().close())
    reader.start()
    with CocoSink(path) as sink:
        reader.join()
        with pytest.raises(OutputClosed):
            sink.write(frame(7), poses(1))


CLOSED_PIPE = """
import sys
from livepose.sinks.jsonl import JsonLinesSink
from livepose.poses import Poses
from sinks.people import frame
try:
    sink = JsonLinesSink("-", {})
    for index in range(100_000):
        sink.write(frame(index), Poses.empty())
except BrokenPipeError:
    sys.exit(42)
"""


def test_a_dash_is_stdout_and_a_closed_pipe_a_quiet_end(capsys):
    with JsonLinesSink("-", {}) as sink:
        sink.write(frame(), poses(2))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(line.get("people", [])) for line in lines] == [0, 2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
    with subprocess.Popen([sys.executable, "-c", CLOSED_PIPE], **how) as process:
        assert process.stdout.readline() == b'{"livepose": {}}\n'
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 42


@pytest.mark.parametrize("to_stdout", [False, True])
def test_a_name_that_is_not_utf_8_is_escaped(tmp_path, capsysbinary, to_stdout):
    path = tmp_path / "a.csv"
    with CsvSink("-" if to_stdout else path) as sink:
        sink.write(frame(0, name=os.fsdecode(b"caf\xe9.jpg")), poses(1))
    data = capsysbinary.readouterr().out if to_stdout else path.read_bytes()
    assert data.decode().splitlines()[1].split(",")[2] == r"caf\udce9.jpg"


def test_each_line_is_in_the_file_before_the_next_frame_comes(tmp_path):
    sink = JsonLinesSink(tmp_path / "a.jsonl", {})
    for index in range(3):
        sink.write(frame(index), Poses.empty())
        assert (tmp_path / "a.jsonl").read_text().count("\n") == index + 2
    sink.close()
    sink.close()
