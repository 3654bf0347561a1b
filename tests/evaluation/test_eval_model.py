"""livepose's own weights, opened for measuring at the size they were made for or at another."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from evaluation_sets import SpotRuntime

from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation import model
from livepose.evaluation.cost import network_cost
from livepose.evaluation.model import open_estimator, stored_as
from livepose.evaluation.run import bare_row
from livepose.evaluation.settings import Choice
from livepose.networks import build_network
from livepose.weights import Card, read_card, save_checkpoint

CHOICE = Choice(Path("images"), Path("annotations.json"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    card = Card("resnet50", (64, 64), alignment="pixel_centre")
    save_checkpoint(path, build_network("resnet50", 17).state_dict(), card)
    return path


def test_another_size_is_written_on_a_copy_of_the_weights(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[Path, Card]] = []
    beside: list[list[str]] = []
    weights.with_name("tiny.int8.json").write_text("{}")

    def open_runtime(path: Path, **options: object) -> SpotRuntime:
        opened.append((path, read_card(path)))
        beside.append(sorted(one.name for one in path.parent.glob("tiny.*.json")))
        return SpotRuntime()

    monkeypatch.setattr(model, "open_runtime", open_runtime)
    open_estimator(weights)
    open_estimator(weights, (64, 64))
    open_estimator(weights, (96, 64))
    assert [card.input_hw for _, card in opened] == [(64, 64), (64, 64), (96, 64)]
    assert [path == weights for path, _ in opened] == [True, True, False]
    assert opened[0][1].sha256 == opened[2][1].sha256
    assert not opened[2][0].exists()
    assert beside == [["tiny.int8.json"]] * 3


@pytest.mark.parametrize("size", [(100, 96), (0, 64)])
def test_a_size_that_does_not_fit_is_refused(weights: Path, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="steps of 32"):
        open_estimator(weights, size)


def test_an_export_keeps_its_size(tmp_path: Path) -> None:
    path = tmp_path / "export.onnx"
    path.write_bytes(b"network")
    path.with_suffix(".toml").write_text('input = "128x96"\n')
    with pytest.raises(UsageError, match="export of one size"):
        open_estimator(path, (64, 64))


def test_a_copy_is_stored_as_exactly_as_the_original() -> None:
    half, full = torch.zeros(2, dtype=torch.float16), torch.zeros(2)
    assert stored_as({"a": half}) is torch.float16
    assert stored_as({"a": half, "b": full}) is torch.float32


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
    assert cost is not None
    assert cost.params_m == pytest.approx(params_m, abs=0.05)
    assert cost.gflops == pytest.approx(gflops, abs=0.05)
    assert network_cost("somebody's", 17, input_hw) is None


def test_networks_are_called_as_in_the_published_tables() -> None:
    runtime = SpotRuntime()
    assert bare_row(PoseEstimator(runtime), "livepose", CHOICE).backbone == "HRNet-W32"
    runtime.card = replace(runtime.card, network="PP-TinyPose")
    assert bare_row(PoseEstimator(runtime), "peer", CHOICE).backbone == "PP-TinyPose"
