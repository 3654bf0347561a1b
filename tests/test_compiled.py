"""Compiled kernels heal: a broken, foreign or missing cache never stops a start."""

import importlib.util
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from livepose import compiled
from livepose.kept import read_kept

KERNEL = """
from livepose.compiled import kernel

@kernel
def twice(value):
    return 2 * value
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A module with one kernel."""
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    return path


def run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.twice(3) == 6
    return module


def hits(path: Path) -> int:
    """Whether a start takes what was compiled."""
    return sum(run(path).twice.stats.cache_hits.values())


def kept(path: Path) -> Path:
    [found] = (path.parent / "__pycache__").glob("kernel.twice*.nbc")
    return found


def test_a_second_start_takes_what_was_compiled_and_not_what_was_compiled_of_other_code(
    path: Path,
) -> None:
    assert [hits(path), hits(path)] == [0, 1]
    path.write_text(KERNEL.replace("2 * value", "value * 2") + "\n# longer\n")
    assert [hits(path), hits(path)] == [0, 1]


def flipped(content: bytes) -> bytes:
    chance = random.Random(20)
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize(
    "damaged",
    [lambda _: b"", lambda _: b"\x80\x04.", lambda content: content[:-50], flipped],
    ids=["empty", "a pickle", "cut short", "a flipped bit"],
)
def test_a_broken_file_is_compiled_again_and_heals(
    path: Path, damaged: Callable[[bytes], bytes]
) -> None:
    run(path)
    kept(path).write_bytes(damaged(kept(path).read_bytes()))
    assert [hits(path), hits(path)] == [0, 1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_file_of_another_user_is_not_unpickled(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("unpickled")

    run(path)
    os.chown(kept(path), 23456, 23456)
    with pytest.raises(OSError, match="another user"):
        read_kept(kept(path))
    monkeypatch.setattr("livepose.compiled.pickle.loads", refuse)
    assert hits(path) == 0


def test_without_a_place_it_compiles_and_says_so_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiled._Places, "_locator_classes", ())
    compiled._say_once.cache_clear()
    assert [hits(path), hits(path)] == [0, 0]
    assert [record.message for record in caplog.records] == [compiled.NO_CACHE]


@pytest.fixture
def only_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where only the folder for temporary files can be written."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(compiled._Places, "_locator_classes", (compiled._TemporaryLocator,))
    return temporary


def test_where_nothing_else_can_be_written_code_is_kept_among_temporary_files(
    path: Path, only_temporary: Path
) -> None:
    assert [hits(path), hits(path)] == [0, 1]
    [own] = only_temporary.iterdir()
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_link_planted_among_temporary_files_is_not_followed(
    path: Path, tmp_path: Path, only_temporary: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (only_temporary / f"livepose-{os.geteuid()}").symlink_to(tmp_path / "theirs")
    run(path)
    assert not list((tmp_path / "theirs").iterdir())
