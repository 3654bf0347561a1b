"""Compiled kernels heal: a broken, foreign or missing cache never stops a start."""

import importlib.util
import os
import random
import tempfile

import pytest

from livepose import compiled
from livepose.files import read_cached

KERNEL = """
from livepose.compiled import kernel

@kernel
def twice(value):
    return 2 * value
"""


@pytest.fixture
def path(tmp_path):
    """A module with one kernel."""
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    return path


def hits(path):
    """Runs it; whether it took what was compiled."""
    spec = importlib.util.spec_from_file_location("kernel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.twice(3) == 6
    return sum(module.twice.stats.cache_hits.values())


def kept(path):
    [found] = (path.parent / "__pycache__").glob("kernel.twice*.nbc")
    return found


def test_a_second_start_takes_what_was_compiled_and_not_what_was_compiled_of_other_code(path):
    assert [hits(path), hits(path)] == [0, 1]
    path.write_text(KERNEL.replace("2 * value", "value * 2") + "\n# longer\n")
    assert [hits(path), hits(path)] == [0, 1]


def flipped(content):
    chance, changed = random.Random(20), bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize(
    "damaged",
    [lambda _: b"", lambda _: b"\x80\x04.", lambda content: content[:-50], flipped],
    ids=["empty", "a pickle", "cut short", "a flipped bit"],
)
def test_a_broken_file_is_compiled_again_and_heals(path, damaged):
    hits(path)
    kept(path).write_bytes(damaged(kept(path).read_bytes()))
    assert [hits(path), hits(path)] == [0, 1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_file_of_another_user_is_not_unpickled(path, monkeypatch):
    def refuse(*_):
        raise AssertionError("unpickled")

    hits(path)
    os.chown(kept(path), 23456, 23456)
    with pytest.raises(OSError, match="another user"):
        read_cached(kept(path))
    monkeypatch.setattr("livepose.compiled.pickle.loads", refuse)
    assert hits(path) == 0


def test_without_a_place_it_compiles_and_says_so_once(path, monkeypatch, caplog):
    monkeypatch.setattr(compiled._Places, "_locator_classes", ())
    compiled._say_once.cache_clear()
    assert [hits(path), hits(path)] == [0, 0]
    assert [record.message for record in caplog.records] == [compiled.NO_CACHE]


@pytest.fixture
def only_temporary(tmp_path, monkeypatch):
    """A machine where only the folder for temporary files can be written."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(compiled._Places, "_locator_classes", (compiled._TemporaryLocator,))
    return temporary


def test_where_nothing_else_can_be_written_code_is_kept_among_temporary_files(path, only_temporary):
    assert [hits(path), hits(path)] == [0, 1]
    [own] = only_temporary.iterdir()
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_link_planted_among_temporary_files_is_not_followed(path, tmp_path, only_temporary):
    (tmp_path / "theirs").mkdir()
    (only_temporary / f"livepose-{os.geteuid()}").symlink_to(tmp_path / "theirs")
    hits(path)
    assert not list((tmp_path / "theirs").iterdir())
