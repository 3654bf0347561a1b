"""PCKh of MPII against the reference's numbers, PCK of the torso by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from livepose.errors import DataError
from livepose.evaluation.bootstrap import draws
from livepose.evaluation.metrics import (
    lsp_pck,
    mean_of_known,
    mpii_pckh,
    torso_sizes,
)
from livepose.evaluation.mpii import as_mpii
from livepose.skeletons import COCO17, MPII16

PLACE = {name: index for index, name in enumerate(COCO17.keypoints)}


def test_pckh_is_the_reference_one(shared: Path) -> None:
    golden = json.loads((shared / "golden" / "evaluation.json").read_text())["mpii"]
    truth = np.array(golden["pos_gt_src_16x2xN"]).transpose(2, 0, 1) - 1
    found = np.array(golden["predictions_0_based_xy"])
    labelled = np.array(golden["jnt_missing_16xN"]).T == 0
    heads = np.array(golden["headboxes_src_2x2xN"]).transpose(2, 0, 1).reshape(-1, 4)
    half = mpii_pckh(found, truth, labelled, heads, 0.5)
    expected = golden["expected"]
    for group, value in half.scores().items():
        printed = expected[group.capitalize()]
        assert value == pytest.approx(printed, abs=1e-6), group
    # The reference prints as "Mean@0.1" what it measures at 0.11.
    tenth = mpii_pckh(found, truth, labelled, heads, 0.11)
    assert tenth.scores()["mean"] == pytest.approx(expected["Mean@0.1"], abs=1e-6)


def test_the_head_size_is_six_tenths_of_the_diagonal() -> None:
    xy, seen, head = np.zeros((1, 16, 2)), np.ones((1, 16), bool), np.array([[10.0, 10, 13, 14]])
    moved = xy + np.array([1.5, 0.0])  # half of 0.6 * 5
    assert mpii_pckh(moved, xy, seen, head, 0.5).scores()["mean"] == 100.0
    assert mpii_pckh(moved + np.array([0.01, 0.0]), xy, seen, head, 0.5).scores()["mean"] == 0.0


def test_an_empty_head_box_is_refused() -> None:
    xy, seen = np.zeros((1, 16, 2)), np.ones((1, 16), bool)
    with pytest.raises(DataError, match="person 0"):
        mpii_pckh(xy, xy, seen, np.array([[5.0, 5.0, 5.0, 5.0]]), 0.5)


def standing() -> tuple[np.ndarray, np.ndarray]:
    """Two people; left shoulder to right hip is 50 px."""
    truth = np.zeros((2, 17, 2))
    truth[:, PLACE["left_shoulder"]] = (30.0, 0.0)
    truth[:, PLACE["right_hip"]] = (0.0, 40.0)
    return truth, np.ones((2, 17), bool)


def test_an_error_of_exactly_the_threshold_is_a_hit() -> None:
    truth, labelled = standing()
    found = truth.copy()
    found[0, PLACE["left_wrist"], 0] += 10.0
    found[1, PLACE["left_wrist"], 0] += 10.01
    scored = lsp_pck(found, truth, labelled)
    assert scored.scores()["wrist"] == pytest.approx((50 + 100) / 2)
    assert scored.scores()["mean"] == pytest.approx(100 * 23 / 24)


def test_a_keypoint_that_was_not_found_is_a_miss() -> None:
    truth, labelled = standing()
    found = truth.copy()
    found[:, PLACE["right_knee"]] = np.nan
    assert lsp_pck(found, truth, labelled).scores()["knee"] == pytest.approx(50.0)


def test_the_other_diagonal_stands_in_and_people_without_a_torso_are_left_out() -> None:
    truth, labelled = standing()
    truth[0, PLACE["right_shoulder"]], truth[0, PLACE["left_hip"]] = (0.0, 0.0), (3.0, 4.0)
    labelled[0, PLACE["right_hip"]] = False
    labelled[1, [PLACE["right_hip"], PLACE["left_hip"]]] = False
    assert torso_sizes(truth, labelled)[0] == pytest.approx(5.0)
    scored = lsp_pck(truth, truth, labelled)
    assert scored.people.tolist() == [0]
    assert scored.scores()["mean"] == pytest.approx(100.0)


def test_a_set_without_any_torso_is_refused() -> None:
    truth, labelled = standing()
    labelled[:] = False
    with pytest.raises(DataError, match="torso"):
        lsp_pck(truth, truth, labelled)


def test_coco_keypoints_take_their_places_in_mpiis_order() -> None:
    xy = np.arange(34, dtype=np.float64).reshape(1, 17, 2)
    moved, has = as_mpii(xy, COCO17)
    assert has.sum() == 12
    for index, name in enumerate(MPII16.keypoints):
        if has[index]:
            assert (moved[0, index] == xy[0, PLACE[name]]).all()
    assert np.isnan(moved[0, ~has]).all()


def test_a_joint_is_resampled_as_it_is_scored_where_only_one_side_is_labelled() -> None:
    truth, labelled = standing()
    labelled[:, PLACE["left_knee"]] = False
    found = truth.copy()
    found[1, PLACE["right_knee"]] = np.nan
    scored = lsp_pck(found, truth, labelled)
    drawn = scored.resampled(draws(2))["knee"]
    assert scored.scores()["knee"] == pytest.approx(50.0)
    assert set(drawn) == {0.0, 50.0, 100.0}


def test_the_mean_of_what_is_known() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    np.testing.assert_array_equal(mean_of_known(values, axis=0), [2.0, 5.0, np.nan])
    assert mean_of_known(values) == pytest.approx(3.0)
    assert np.isnan(mean_of_known(np.empty(0)))


def test_resamples_of_a_perfect_answer_are_perfect() -> None:
    truth, labelled = standing()
    samples = lsp_pck(truth, truth, labelled).resampled(draws(2))
    assert set(samples) == {"shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean"}
    assert all((values == 100.0).all() for values in samples.values())
