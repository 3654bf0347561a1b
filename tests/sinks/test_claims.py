"""What is there already is never lost, an input never harmed, and a failure is one sentence."""

import json
import os
import re
import resource
import threading
from contextlib import contextmanager

import pytest
from sinks.people import frame, names_in, poses

from livepose.errors import SinkError, UsageError
from livepose.files import write_whole
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


@contextmanager
def filling_disk(room: int):
    """No file grows beyond some bytes, as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(SinkError, match="File too large"):
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


@pytest.mark.parametrize("name", [name for name in FILES if FILES[name] is not ImageSink])
def test_no_link_is_written_through_no_folder_written_to_and_none_made(tmp_path, name):
    (tmp_path / "sub" / name).mkdir(parents=True)
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    for path, said in (
        (tmp_path / name, "is there already"),
        (tmp_path / "missing" / name, "does not exist; create it first"),
        (tmp_path / "sub" / name, "it is a folder; expected a file name"),
    ):
        with pytest.raises((UsageError, SinkError), match=said):
            FILES[name](path)
    assert not (tmp_path / "elsewhere").exists()


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
    for name in ("v.mp4", "link.mp4", f"../{tmp_path.name}/v.mp4"):
        with pytest.raises(UsageError, match="is the input itself"):
            check_outputs({"--json": tmp_path / name}, [video], overwrite=True)
    assert video.read_bytes() == b"clip"
    (tmp_path / "x.mp4").mkdir()
    with pytest.raises(SinkError, match="it is a folder; expected a file name"):
        check_outputs({"--output": tmp_path / "x.mp4"})


def test_rotated_files_have_a_header_each_and_together_every_frame(tmp_path):
    path = tmp_path / "poses.jsonl"
    for start in (0, 10):  # the second run puts aside what the first left
        with JsonLinesSink(path, {}, rotation=parse_rotation("5KB")) as sink:
            for index in range(start, start + 10):
                sink.write(frame(index), poses(1))
    files = list(tmp_path.iterdir())
    assert len(files) > 3 and path in files
    assert all(re.fullmatch(r"poses(-\d{8}T\d{6}Z(-\d+)?)?.jsonl", one.name) for one in files)
    assert all(one.stat().st_size < 10_000 for one in files)
    lines = [[json.loads(line) for line in one.read_text().splitlines()] for one in files]
    assert all("livepose" in one[0] for one in lines)
    assert sorted(line["frame"] for one in lines for line in one[1:]) == list(range(20))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_when_the_disk_fills_up_whole_lines_stay(tmp_path, name):
    sink = FILES[name](tmp_path / name)
    with filling_disk(5000):
        for index in range(100):
            sink.write(frame(index), poses(1))
            # Each line is in the file before the next frame comes.
            whole = (tmp_path / name).read_text()
    sink.close()
    assert (tmp_path / name).read_text() == whole
    assert len(whole.splitlines()) > 1 and whole.endswith("\n")
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(SinkError, match="the disk is full; make room"):
        FILES[name](tmp_path / "full")


@pytest.mark.parametrize("name", ["a.json", "a.parquet"])
def test_when_the_disk_fills_up_the_earlier_file_stays(tmp_path, name):
    (tmp_path / name).write_text("[1]")
    sink = FILES[name](tmp_path / name, overwrite=True)
    with filling_disk(500):
        for index in range(100):
            sink.write(frame(index), poses(1))
        sink.close()
    sink.close()
    with pytest.raises(TypeError):
        write_whole(tmp_path / name, b"half", "no bytes")
    assert (tmp_path / name).read_text() == "[1]" and names_in(tmp_path) == [name]


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
