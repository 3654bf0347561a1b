"""OKS, its suppression and the scores of poses, against the reference's numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livepose.errors import DataError
from livepose.evaluation.metrics import (
    enlarged_area,
    labelled_oks,
    oks_matrix,
    oks_nms,
    rescore,
    sigmas_of,
)
from livepose.skeletons import COCO17, MPII16

SIGMAS = sigmas_of(COCO17)


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "golden" / "evaluation.json").read_text())


def poses(case: dict[str, Any]) -> np.ndarray:
    return np.array(case["keypoints"], dtype=np.float64).reshape(-1, 17, 3)


def test_oks_is_the_reference_one(golden: dict[str, Any]) -> None:
    case = golden["oks_iou"]
    xy, areas = poses(case)[..., :2], np.array(case["areas"])
    assert np.allclose(np.array(case["sigmas_div_10"]) / 10, SIGMAS)
    assert np.allclose(oks_matrix(xy, areas, SIGMAS), case["matrix"], atol=1e-6)


def test_suppression_keeps_the_same_poses_in_the_same_order(golden: dict[str, Any]) -> None:
    for case in golden["oks_nms"]:
        found = poses(case)[..., :2]
        arguments = (found, np.array(case["score"]), np.array(case["area"]), SIGMAS)
        assert oks_nms(*arguments, case["thresh"]) == case["oks_nms_keep"]


def test_a_missing_keypoint_is_like_nothing() -> None:
    pose = np.zeros((17, 2))
    half = pose.copy()
    half[:7] = np.nan
    similar = oks_matrix(np.stack([pose, half]), np.array([100.0, 100.0]), SIGMAS)
    assert np.allclose(similar[0], [1.0, 10 / 17])
    seen = np.arange(17) < 10
    both = labelled_oks(half[None], pose[None], seen[None], np.array([100.0]), SIGMAS)
    assert np.allclose(both, 3 / 10)


def test_the_score_of_a_pose_counts_only_keypoints_above_the_threshold() -> None:
    keypoint_scores = np.array([[0.5, 0.7, 0.2, 0.1], [0.2, 0.1, 0.0, 0.2]])
    assert np.allclose(rescore(np.array([0.5, 1.0]), keypoint_scores), [0.3, 0.0])


@pytest.mark.parametrize("alignment", ["dark", "hrnet"])
def test_scores_areas_and_kept_poses_are_the_reference_ones(
    golden: dict[str, Any], alignment: str
) -> None:
    case = golden["coco"]
    expected, settings = case[alignment], case["settings"]
    boxes = person_boxes(case)
    area = enlarged_area(boxes, settings["image_size_wh"][::-1])
    assert np.allclose(area, expected["area"], rtol=1e-5)
    found = np.array(case["predictions_xys"])
    for image in expected["per_image"]:
        own = np.array(expected["image_id"]) == image["image_id"]
        scores = rescore(np.array(expected["box_score"])[own], found[own, :, 2])
        assert np.allclose(scores, image["rescored"], atol=1e-6)
        assert oks_nms(found[own, :, :2], scores, area[own], SIGMAS) == image["keep"]


def person_boxes(case: dict[str, Any]) -> np.ndarray:
    people = [one for one in case["person_detections"] if one["category_id"] == 1]
    people = [one for one in people if one["score"] >= case["settings"]["image_thre"]]
    xywh = np.array([one["bbox"] for one in people])
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def test_a_skeleton_without_sigmas_says_what_to_do() -> None:
    with pytest.raises(DataError, match="eval mpii"):
        sigmas_of(MPII16)
