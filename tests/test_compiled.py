"""Compiled kernels heal: a broken, foreign or missing cache never stops a start."""

import importlib.util
import os
import random
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from livepose import compiled
from livepose.kept import read_kept

KERNEL = """
from livepose.compiled import njit

@njit(cache=True)
def twice(value):
    return 2 * value
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A module with one kernel, run once, so that its cache is there."""
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    assert run(path).twice(3) == 6
    return path


def run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kept(path: Path, suffix: str) -> Path:
    [found] = (path.parent / "__pycache__").glob(f"kernel.twice*.{suffix}")
    return found


def hits(module: ModuleType) -> int:
    return sum(module.twice.stats.cache_hits.values())


def test_a_second_start_takes_what_was_compiled(kernel: Path) -> None:
    again = run(kernel)
    assert again.twice(3) == 6
    assert hits(again) == 1


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04."])
def test_a_broken_file_is_compiled_again_and_heals(
    kernel: Path, suffix: str, content: bytes
) -> None:
    kept(kernel, suffix).write_bytes(content)
    again = run(kernel)
    assert again.twice(3) == 6
    assert hits(again) == 0
    healed = run(kernel)
    assert healed.twice(3) == 6
    assert hits(healed) == 1


def test_no_flipped_bit_of_the_cache_is_believed(kernel: Path) -> None:
    chance = random.Random(20)
    for _ in range(20):
        path = kept(kernel, chance.choice(["nbi", "nbc"]))
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(content))
        again = run(kernel)
        assert again.twice(3) == 6
        assert hits(again) == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_file_of_another_user_is_not_unpickled(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("unpickled")

    os.chown(kept(kernel, "nbi"), 23456, 23456)
    monkeypatch.setattr("livepose.compiled.pickle.loads", refuse)
    with pytest.raises(OSError, match="another user"):
        read_kept(kept(kernel, "nbi"))


def test_without_a_place_it_compiles_and_says_so_once(
    kernel: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiled._Places, "_locator_classes", ())
    compiled._say_once.cache_clear()
    again = run(kernel)
    assert run(kernel).twice(3) == again.twice(3) == 6
    assert [record.message for record in caplog.records] == [compiled.NO_CACHE]


@pytest.fixture
def only_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where only the folder for temporary files can be written."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(compiled._Places, "_locator_classes", (compiled.TemporaryPlace,))
    return temporary


def test_where_nothing_else_can_be_written_code_is_kept_among_temporary_files(
    tmp_path: Path, only_temporary: Path
) -> None:
    path = tmp_path / "kernel.py"
    path.write_text(KERNEL)
    assert run(path).twice(3) == 6
    again = run(path)
    assert again.twice(3) == 6
    assert hits(again) == 1
    [own] = only_temporary.iterdir()
    assert own.stat().st_mode & 0o777 == 0o700


def test_a_link_planted_among_temporary_files_is_not_followed(
    kernel: Path, tmp_path: Path, only_temporary: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    own = only_temporary / f"livepose-{os.geteuid()}"
    own.symlink_to(tmp_path / "theirs")
    assert run(kernel).twice(3) == 6
    assert not list((tmp_path / "theirs").iterdir())


def test_a_full_disk_is_no_reason_to_stop(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    kept(kernel, "nbi").unlink()
    monkeypatch.setattr(compiled.CheckedFiles, "save", full)
    assert run(kernel).twice(3) == 6
