"""The systems of the published tables."""

import pytest

from livepose.evaluation.report import BACKBONES
from livepose.evaluation.speed import network_cost
from studies.published.__main__ import BACKBONES_HERE, published, runs_here

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
