"""``--compare`` tells what became slower from what only trembles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import make_pipeline

from livepose.benchmark.compare import Change, compare, read_figures
from livepose.cli import main
from livepose.errors import GateError, UsageError
from livepose.pipeline import PosePipeline

__all__ = ["make_pipeline"]
Make = Callable[..., PosePipeline]


def figure(median: float, half_band: float = 0.1) -> dict[str, float]:
    return {"median": median, "q1": median - half_band, "q3": median + half_band, "count": 10}


def run(fps: float, network: float, half_band: float = 0.1, **more: Any) -> dict[str, Any]:
    spread = {"fps": figure(fps, half_band), "network": figure(network, half_band)}
    return {
        "scene": "a",
        "size_wh": [640, 480],
        "machine": {"processor": "x"},
        "spread": spread,
    } | more


@pytest.mark.parametrize(
    ("name", "old", "new", "verdict"),
    [
        ("fps", 30.0, 20.0, "slower"),
        ("fps", 30.0, 40.0, "quicker"),
        ("fps", 30.0, 29.0, "same"),
        ("network", 10.0, 12.0, "slower"),
        ("network", 10.0, 8.0, "quicker"),
        ("network", 10.0, 10.5, "same"),
        ("track", 0.01, 0.04, "same"),
    ],
)
def test_a_change_is_judged_by_limit_and_direction(
    name: str, old: float, new: float, verdict: str
) -> None:
    assert Change(name, figure(old, 0.001), figure(new, 0.001), 0.1).verdict == verdict


def test_bands_that_touch_are_noise_however_far_the_medians() -> None:
    wide = Change("network", figure(10.0, 3.0), figure(15.0, 3.0), 0.1)
    assert wide.worse == pytest.approx(0.5)
    assert wide.verdict == "same"


def test_slower_frames_per_second_are_counted_in_time() -> None:
    assert Change("fps", figure(30.0), figure(20.0), 0.1).worse == pytest.approx(0.5)


def test_what_became_slower_fails_with_exit_code_6(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GateError, match=r"fps by 50%, network by 100%") as failure:
        compare(run(30.0, 10.0), run(20.0, 20.0), 0.1)
    assert failure.value.exit_code == 6
    assert "slower" in capsys.readouterr().out


def test_a_quicker_run_passes_and_says_what_else_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    compare(run(30.0, 10.0), run(40.0, 8.0, machine={"processor": "y"}), 0.1)
    said = capsys.readouterr().out
    assert "quicker" in said
    assert "processor was x, is y" in said


def test_different_scenes_are_not_compared() -> None:
    with pytest.raises(UsageError, match="measure the same scene"):
        compare(run(30.0, 10.0), run(30.0, 10.0, scene="b"), 0.1)


def test_only_figures_of_both_runs_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    new = run(30.0, 10.0)
    new["spread"]["upload"] = figure(1.0)
    compare(run(30.0, 10.0), new, 0.1)
    said = capsys.readouterr().out
    assert "network" in said and "upload" not in said


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"spread": {}}'])
def test_other_files_are_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="--compare"):
        read_figures(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_figures(tmp_path / "missing.json")


def test_the_command_compares_with_its_own_file(
    make_pipeline: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    words = ["--benchmark", "--people", "1", "--frames", "20"]
    assert main([*words, "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert figures["spread"]["fps"]["count"] == 10
    assert {"detect", "track", "crop", "network", "decode", "smooth", "draw"} < set(
        figures["spread"]
    )

    for name, one in figures["spread"].items():
        scale = 1000 if name == "fps" else 1e-3
        for key in ("median", "q1", "q3"):
            one[key] *= scale
    path.write_text(json.dumps(figures))
    assert main([*words, "--compare", str(path)]) == 6
    assert "slower than before" in capsys.readouterr().err

    for one in figures["spread"].values():
        one["q1"], one["q3"] = 0.0, 1e9
    path.write_text(json.dumps(figures))
    assert main([*words, "--compare", str(path), "--compare-limit", "5"]) == 0
