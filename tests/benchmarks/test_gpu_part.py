"""The GPU part of the benchmarks, rehearsed with stand-ins for the networks: it runs to its end."""

import json
from dataclasses import replace

from fakes import FakeRuntime

from benchmarks import gpu
from benchmarks.plan import QUICK
from benchmarks.rounds import Length

PLAN = replace(QUICK, rounds=1, length=Length(least=2, most=2), runs=1)


def test_the_rehearsal_measures_every_figure(make_pipeline, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "QUICK", PLAN)
    monkeypatch.setattr(gpu, "open_runtime", lambda *_: FakeRuntime())
    monkeypatch.setattr("livepose.benchmark.run.WARM_UP_FRAMES", 1)
    monkeypatch.setattr("livepose.benchmark.run.DEFAULT_FRAMES", 4)
    path = tmp_path / "gpu.json"
    words = ["--quick", "--device", "cpu", "--detector", "none", "--json", str(path)]
    assert gpu.main(words) == 0
    part = json.loads(path.read_text())["parts"]["gpu"]
    assert set(part["end_to_end"]) == {"1", "4"}
    for row in part["end_to_end"].values():
        assert row["fps"] > 0 and row["p95_ms"] >= row["p50_ms"] > 0
    assert part["network"]["f32"]["ms"] > 0 and part["network"]["f32"]["crops_per_s"] > 0
    assert "commit" in part
    assert "| GPU, network, batch 1 | ≤ 1.5 ms |" in capsys.readouterr().out
