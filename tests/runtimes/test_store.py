"""What is kept is believed only with its hash, named by content, bounded, and done without."""

import os
import subprocess
import sys
import tempfile

import pytest
from hostile import damaged

from livepose.runtimes import store as stores
from livepose.runtimes.store import KEPT_FILES, Store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    stores._say_unkept.cache_clear()
    return tmp_path / "cache"


def test_what_was_written_is_read_back():
    store = Store("pose", "1")
    store.write("graph", b"content")
    assert [store.fact("ms", lambda n=n: n) for n in (1.5, 2.5)] == [1.5, 1.5]
    assert bytes(Store("pose", "1").read("graph") or b"") == b"content"
    assert Store("pose", "1").fact("ms", lambda: pytest.fail("found out again")) == 1.5
    assert Store("pose", "2").read("graph") is None


def test_no_change_of_a_kept_file_is_believed():
    store = Store("pose", "1")
    store.write("blob", bytes(range(200)))
    whole = (store.folder / "blob").read_bytes()
    for seed in range(50):
        (store.folder / "blob").write_bytes(damaged(whole, seed))
        assert store.read("blob") is None


def test_only_what_was_used_last_is_kept():
    first, second = Store("pose", "1"), Store("pose", "2")
    for number in range(KEPT_FILES + 3):
        store = (first, second)[number % 2]
        store.write(str(number), b"content")
        os.utime(store.folder / str(number), (number, number))
    assert first.read("4")
    second.write("last", b"content")
    left = {path.name for path in first.folder.parent.glob("*/*")}
    assert left == {"last", "4", *(str(number) for number in range(5, KEPT_FILES + 3))}


def test_where_the_cache_cannot_be_written_temporary_files_are_kept_and_that_is_said_once(
    cache, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    cache.touch()
    for content in (b"first", b"second"):
        Store("pose", "1").write("graph", content)
        assert bytes(Store("pose", "1").read("graph") or b"") == content
    [said] = [record.getMessage() for record in caplog.records]
    assert "cannot be written" in said and "set LIVEPOSE_CACHE" in said


TWO_STARTS = """
import sys
from livepose.runtimes.store import KEPT_FILES, Store
for number in range(KEPT_FILES + 10):
    store = Store("pose", str(number % 9))
    store.write(str(number), b"content")
    assert store.fact("ms", lambda: 1.5) == 1.5
    found = store.read(str(number))
    assert found is None or bytes(found) == b"content"
"""


def test_processes_that_start_at_once_share_an_empty_cache(cache):
    command = [sys.executable, "-c", TWO_STARTS]
    starts = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    said = [start.communicate(timeout=60)[1] for start in starts]
    assert said == [b"", b""]
    assert len(list((cache / "networks").glob("*/*"))) <= KEPT_FILES + 1
