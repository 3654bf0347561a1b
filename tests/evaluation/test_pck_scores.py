"""PCKh of MPII against the reference's numbers, PCK of the torso by hand, and their intervals."""

import json
from pathlib import Path

import numpy as np
import pytest

from livepose.errors import DataError
from livepose.evaluation.metrics import (
    Pck,
    draws,
    lsp_pck,
    mpii_pckh,
    percentile_interval,
    torso_sizes,
)
from livepose.skeletons import COCO17

PLACE = {name: index for index, name in enumerate(COCO17.keypoints)}
EACH_ITS_OWN = np.arange(2)
"""The images of two people."""


def test_pckh_is_the_reference_one(shared: Path) -> None:
    golden = json.loads((shared / "golden" / "evaluation.json").read_text())["mpii"]
    truth = np.array(golden["pos_gt_src_16x2xN"]).transpose(2, 0, 1) - 1
    found = np.array(golden["predictions_0_based_xy"])
    labelled = np.array(golden["jnt_missing_16xN"]).T == 0
    heads = np.array(golden["headboxes_src_2x2xN"]).transpose(2, 0, 1).reshape(-1, 4)
    image, expected = np.arange(len(found)), golden["expected"]
    for group, value in mpii_pckh(found, truth, labelled, heads, 0.5, image).scores().items():
        assert value == pytest.approx(expected[group.capitalize()], abs=1e-6), group
    # The reference prints as "Mean@0.1" what it measures at 0.11.
    tenth = mpii_pckh(found, truth, labelled, heads, 0.11, image)
    assert tenth.scores()["mean"] == pytest.approx(expected["Mean@0.1"], abs=1e-6)
    with pytest.raises(DataError, match="person 0 has an empty head box"):
        mpii_pckh(found[:1], truth[:1], labelled[:1], np.full((1, 4), 5.0), 0.5, image[:1])


def standing() -> tuple[np.ndarray, np.ndarray]:
    """Two people; left shoulder to right hip is 50 px."""
    truth = np.zeros((2, 17, 2))
    truth[:, PLACE["left_shoulder"]] = (30.0, 0.0)
    truth[:, PLACE["right_hip"]] = (0.0, 40.0)
    return truth, np.ones((2, 17), bool)


def test_an_error_of_exactly_the_threshold_is_a_hit_and_what_was_not_found_a_miss() -> None:
    truth, labelled = standing()
    found = truth.copy()
    found[0, PLACE["left_wrist"], 0] += 10.0
    found[1, PLACE["left_wrist"], 0] += 10.01
    found[:, PLACE["right_knee"]] = np.nan
    scores = lsp_pck(found, truth, labelled, EACH_ITS_OWN).scores()
    assert scores["wrist"] == pytest.approx((50 + 100) / 2)
    assert scores["knee"] == pytest.approx(50.0)
    assert scores["mean"] == pytest.approx(100 * 21 / 24)


def test_the_other_diagonal_stands_in_and_people_without_a_torso_are_left_out() -> None:
    truth, labelled = standing()
    truth[0, PLACE["right_shoulder"]], truth[0, PLACE["left_hip"]] = (0.0, 0.0), (3.0, 4.0)
    labelled[0, PLACE["right_hip"]] = False
    labelled[1, [PLACE["right_hip"], PLACE["left_hip"]]] = False
    assert torso_sizes(truth, labelled)[0] == pytest.approx(5.0)
    scored = lsp_pck(truth, truth, labelled, EACH_ITS_OWN)
    assert scored.image.tolist() == [0]
    assert scored.scores()["mean"] == pytest.approx(100.0)
    with pytest.raises(DataError, match="torso"):
        lsp_pck(truth, truth, np.zeros_like(labelled), EACH_ITS_OWN)


def share_of(hits: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Percent of people (P, 1) of these images who are hits, in every draw."""
    pck = Pck(hits, np.ones_like(hits), image, {})
    return pck.resampled(draws(int(image.max()) + 1))["mean"]


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    hits = np.arange(400)[:, None] < 100
    interval = percentile_interval(share_of(hits, np.arange(400)))
    spread = 100 * 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (interval.low, interval.high) == pytest.approx((25 - spread, 25 + spread), abs=0.7)


def test_people_of_one_image_are_drawn_together() -> None:
    hits = np.repeat([[True], [False]], 50, axis=0)
    assert set(share_of(hits, np.repeat([0, 1], 50))) == {0.0, 50.0, 100.0}
