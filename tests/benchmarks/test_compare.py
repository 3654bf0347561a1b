"""Two runs of the benchmark beside each other: what became slower, and what only trembles."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import Change, compare, main, read_figures
from livepose.errors import GateError, UsageError


def figure(median: float, half_band: float = 0.1) -> dict[str, float]:
    return {"median": median, "q1": median - half_band, "q3": median + half_band, "count": 10}


def run(fps: float, network: float, **more: Any) -> dict[str, Any]:
    spread = {"fps": figure(fps), "network": figure(network)}
    return {"scene": "a", "size_wh": [4, 3], "machine": {"cpu": "x"}, "spread": spread} | more


@pytest.mark.parametrize(
    ("name", "old", "new", "half_band", "verdict"),
    [
        ("fps", 30.0, 20.0, 0.001, "slower"),
        ("fps", 30.0, 40.0, 0.001, "quicker"),
        ("fps", 30.0, 29.0, 0.001, "same"),
        ("network", 10.0, 12.0, 0.001, "slower"),
        ("network", 10.0, 8.0, 0.001, "quicker"),
        ("network", 10.0, 10.5, 0.001, "same"),
        ("track", 0.01, 0.04, 0.001, "same"),
        ("network", 10.0, 15.0, 3.0, "same"),  # bands that touch
    ],
)
def test_a_change_is_judged_by_limit_direction_and_noise(name, old, new, half_band, verdict):
    change = Change(name, figure(old, half_band), figure(new, half_band), 0.1)
    assert change.verdict == verdict


def test_what_became_slower_fails_and_what_else_changed_is_said(capsys):
    with pytest.raises(GateError, match=r"fps by 50%, network by 100%"):
        compare(run(30.0, 10.0), run(20.0, 20.0), 0.1)
    assert "slower" in capsys.readouterr().out
    new = run(40.0, 8.0, machine={"cpu": "y"})
    new["spread"]["upload"] = figure(1.0)  # is not in the old figures
    compare(run(30.0, 10.0), new, 0.1)
    said = capsys.readouterr().out
    assert "quicker" in said and "cpu was x, is y" in said and "upload" not in said
    with pytest.raises(UsageError, match="measure the same scene"):
        compare(run(30.0, 10.0), run(30.0, 10.0, scene="b"), 0.1)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"spread": {}}'])
def test_other_files_are_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"spread|JSON"):
        read_figures(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_figures(tmp_path / "missing.json")


def test_the_command_compares_two_files(tmp_path):
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    Path(old).write_text(json.dumps(run(30.0, 10.0)))
    Path(new).write_text(json.dumps(run(20.0, 20.0)))
    codes = [main(words) for words in ([old, old], [old, new], [old, new, "--limit", "500"])]
    assert codes == [0, 6, 0]
