"""``--weights auto`` takes what is here and quick enough, and says so."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from livepose.errors import DeviceError, WeightsError
from livepose.runtimes import automatic, open_runtime
from livepose.runtimes.automatic import MOST_MS, open_automatic
from livepose.weights import find_weights
from livepose.weights.manifest import BEST, find_known

HINT = "better weights: 'livepose weights fetch best'"


@dataclass
class FakeRuntime:
    asked: str = ""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def best(cache: Path, hrnet_file: Path) -> Path:
    path = cache / "weights" / f"{BEST}.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(hrnet_file.read_bytes())
    return path


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], list[str]]:
    """Makes one person take so long; the list is of what was measured."""

    def make(took_ms: float) -> list[str]:
        measured: list[str] = []

        def crop_ms(runtime: FakeRuntime) -> float:
            measured.append(runtime.asked)
            return took_ms

        monkeypatch.setattr(automatic, "_crop_ms", crop_ms)
        return measured

    return make


def opened(asked: str = "cpu") -> list[Path]:
    """What was opened, the one that is taken last."""
    paths: list[Path] = []

    def open_one(path: Path) -> tuple[FakeRuntime, str]:
        paths.append(path)
        return FakeRuntime(asked), path.stem

    made, line = open_automatic(open_one, asked)
    assert isinstance(made, FakeRuntime) and line == paths[-1].stem
    return paths


def test_without_better_ones_the_embedded_are_taken_and_the_way_is_told_once(
    said: list[str],
) -> None:
    embedded = find_weights("default")
    assert opened() == [embedded]
    assert said[0].startswith(f"weights: {embedded.stem}, embedded (AP 41.3 on 984 people)")
    assert said[1].startswith(HINT) and len(said) == 2
    said.clear()
    assert opened() == [embedded]
    assert len(said) == 1 and not said[0].startswith(HINT)


def test_nothing_is_told_again_where_it_cannot_be_remembered(cache: Path, said: list[str]) -> None:
    cache.write_text("a file where the cache should be")
    opened()
    assert not any(line.startswith(HINT) for line in said)


def test_the_best_are_taken_where_they_are_quick_and_measured_once(
    best: Path, takes: Callable[[float], list[str]], said: list[str]
) -> None:
    measured = takes(MOST_MS)
    assert opened() == [best]
    known = find_known("best")
    assert known is not None
    assert said[-1] == f"weights: {BEST} ({known.results}; {MOST_MS:.1f} ms a person)"
    said.clear()
    assert opened() == [best] and measured == ["cpu"]
    assert len(said) == 1 and "AP 75.7" in said[0]
    assert opened("another device") == [best] and measured == ["cpu", "another device"]
    assert opened() == [best] and len(measured) == 2  # both are kept


def test_the_embedded_are_taken_where_the_best_are_slow(
    best: Path, takes: Callable[[float], list[str]], said: list[str]
) -> None:
    measured, embedded = takes(MOST_MS + 0.1), find_weights("default")
    assert opened() == [best, embedded]
    assert f"{BEST} would take 30.1 ms a person, over 30" in said[-1]
    assert opened() == [embedded] and len(measured) == 1
    assert not any(line.startswith(HINT) for line in said)


@pytest.mark.parametrize("error", [DeviceError("no memory"), WeightsError("no ranges")])
def test_the_embedded_are_taken_where_the_best_do_not_run(
    error: Exception, best: Path, said: list[str]
) -> None:
    def open_one(path: Path) -> tuple[FakeRuntime, str]:
        if path == best:
            raise error
        return FakeRuntime(), path.stem

    assert open_automatic(open_one, "cpu")[1] == find_weights("default").stem
    assert f"not {BEST}: {error}" in said[-1]


def test_a_runtime_is_timed_and_taken_for_real(
    best: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(automatic, "MOST_MS", 1e6)
    runtime = open_runtime("auto", runtime="openvino", precision="f32")
    assert runtime.name == "openvino"
    assert said[-2].startswith(f"weights: {BEST} (COCO val AP")
    assert said[-1].startswith(f"pose: hrnet_w32 128x96 ({best.name}) on openvino, cpu, f32")
