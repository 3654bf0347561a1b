"""OKS, its suppression and the scores of poses, against the reference's numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livepose.errors import DataError
from livepose.evaluation.metrics import oks_matrix, oks_nms, sigmas_of
from livepose.skeletons import COCO17, MPII16

SIGMAS = sigmas_of(COCO17)


def poses(case: dict[str, Any]) -> np.ndarray:
    return np.array(case["keypoints"], dtype=np.float64).reshape(-1, 17, 3)[..., :2]


def test_oks_and_its_suppression_are_the_reference_ones(shared: Path) -> None:
    golden = json.loads((shared / "golden" / "evaluation.json").read_text())
    case = golden["oks_iou"]
    assert np.allclose(np.array(case["sigmas_div_10"]) / 10, SIGMAS)
    found = oks_matrix(poses(case), np.array(case["areas"]), SIGMAS)
    assert np.allclose(found, case["matrix"], atol=1e-6)
    for case in golden["oks_nms"]:
        arguments = (poses(case), np.array(case["score"]), np.array(case["area"]), SIGMAS)
        assert oks_nms(*arguments, case["thresh"]) == case["oks_nms_keep"]


def test_a_missing_keypoint_is_like_nothing_and_sigmas_are_needed() -> None:
    pose = np.zeros((17, 2))
    half = pose.copy()
    half[:7] = np.nan
    similar = oks_matrix(np.stack([pose, half]), np.array([100.0, 100.0]), SIGMAS)
    assert np.allclose(similar[0], [1.0, 10 / 17])
    with pytest.raises(DataError, match="mpii16 which has none"):
        sigmas_of(MPII16)
