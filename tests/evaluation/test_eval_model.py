"""livepose's own weights, opened for measuring at the size they were made for or at another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.estimator import PoseEstimator
from livepose.evaluation import run
from livepose.evaluation.run import bare_row, chosen_estimator
from livepose.evaluation.settings import EvaluationSettings
from livepose.evaluation.speed import network_cost

SETTINGS = EvaluationSettings(Path("images"), Path("annotations.json"))


def test_weights_are_opened_at_the_size_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def open_runtime(weights: str, *names: str, input_hw: object) -> SpotRuntime:
        asked.append((weights, names, input_hw))
        return SpotRuntime()

    monkeypatch.setattr(run, "open_runtime", open_runtime)
    own = {"runtime": "openvino", "device": "cpu", "precision": "f32"}
    chosen_estimator(replace(SETTINGS, input_hw=(96, 64), **own))
    assert asked == [("default", ("openvino", "cpu", "f32"), (96, 64))]


@pytest.mark.parametrize(
    ("name", "input_hw", "params_m", "gflops"),
    [
        ("hrnet_w32", (128, 96), 28.5, 1.8),
        ("hrnet_w48", (384, 288), 63.6, 32.9),
        ("resnet152", (384, 288), 68.6, 35.5),
    ],
)
def test_parameters_and_gflops_are_the_published_ones(
    name: str, input_hw: tuple[int, int], params_m: float, gflops: float
) -> None:
    cost = network_cost(name, 17, input_hw)
    assert cost.params_m == pytest.approx(params_m, abs=0.05)
    assert cost.gflops == pytest.approx(gflops, abs=0.05)
    assert np.isnan(network_cost("somebody's", 17, input_hw).gflops)


def test_networks_are_called_as_in_the_published_tables() -> None:
    runtime = SpotRuntime()
    assert bare_row(PoseEstimator(runtime), "livepose", SETTINGS).backbone == "HRNet-W32"
    runtime.card = replace(runtime.card, network="PP-TinyPose")
    assert bare_row(PoseEstimator(runtime), "peer", SETTINGS).backbone == "PP-TinyPose"
