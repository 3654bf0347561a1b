"""The systems of the published tables: random weights stand in for the trained ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from livepose.evaluation.report import BACKBONES
from livepose.evaluation.run import run_coco
from livepose.evaluation.settings import EvaluationSettings
from livepose.evaluation.speed import network_cost
from livepose.networks import build_network
from livepose.weights import Card, save_checkpoint
from studies.published.__main__ import BACKBONES_HERE, published, runs_here

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

NAMES = {title: name for name, title in BACKBONES.items()}
SMALL_HW = (64, 64)
PRINTED_SHARE = 0.012
"""Printed GFLOPs of one ResNet differ by 1 % between sources (35.3 and 35.6)."""


def test_every_row_that_is_said_to_run_has_a_network_of_that_cost() -> None:
    rows = [row for row in published("coco") if runs_here(row)]
    assert {row["backbone"] for row in rows} == BACKBONES_HERE
    costs = {
        (row["backbone"], row["input_size_hw"], row["params_m"], row["gflops"]) for row in rows
    }
    printed = {one for one in costs if one[3]}
    assert len(printed) >= 15
    for backbone, size, params_m, gflops in sorted(printed):
        height, width = map(int, size.split("x"))
        cost = network_cost(NAMES[backbone], 17, SMALL_HW)  # counted once a network
        assert cost.params_m == pytest.approx(float(params_m), abs=0.06), (backbone, size)
        grown = cost.gflops * height * width / (SMALL_HW[0] * SMALL_HW[1])
        near = pytest.approx(float(gflops), abs=0.06, rel=PRINTED_SHARE)
        assert grown == near, (backbone, size)


def test_a_system_of_the_tables_runs(make_set: MakeSet, tmp_path: Path) -> None:
    path = tmp_path / "resnet50.safetensors"
    torch.manual_seed(0)
    network, card = build_network("resnet50", 17), Card("resnet50", (256, 192), alignment="hrnet")
    save_checkpoint(path, network.state_dict(), card, torch.float16)
    images, annotations, _ = make_set(1)
    choice = EvaluationSettings(
        images, annotations, weights=str(path), decoders=("dark", "shift", "integral"),
        flip_test=True, runtime="torch", device="cpu", precision="f32", speed=False,
    )  # fmt: skip
    measured = run_coco(choice)
    assert [row.method for row in measured.rows] == [
        "livepose, DARK + flip",
        "livepose, shift + flip",
        "livepose, integral + flip",
    ]
    for row in measured.rows:
        assert (row.backbone, row.input_hw) == ("ResNet-50", (256, 192))
        assert 0 <= row.figures["ap"] <= 100
    poses = [np.array(one["keypoints"]) for one in measured.results[measured.rows[0].title]]
    assert len(poses) >= 1
    assert all(np.isfinite(pose).all() for pose in poses)
