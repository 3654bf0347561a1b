"""The words: boxes, frames, poses, errors."""

import json
import math

import numpy as np
import pytest
from people import made

from livepose import boxes, errors
from livepose.poses import Poses


def two_people() -> Poses:
    """Ids 3 and 7; the second lacks the nose."""
    xy = np.random.default_rng(0).uniform(20, 100, (2, 17, 2))
    xy[1, 0] = np.nan
    poses = made(xy, ids=(3, 7), sigma_px=2.0)
    poses.covariance_px2[..., 1, 1] *= 4
    return poses


def test_boxes_overlap_and_are_cut_as_on_paper():
    first = np.array([[0.0, 0, 10, 10], [5, 5, 5, 5]])
    second = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(boxes.iou(first, second), [[1, 1 / 3, 0], [0, 0, 0]])
    assert boxes.iou(np.empty((0, 4)), second).shape == (0, 3)
    assert boxes.clip(np.array([[-5.0, 3, 700, 500]]), (640, 480)).tolist() == [[0, 3, 640, 480]]


def test_a_state_follows_from_position_and_score_and_the_edge_of_the_frame():
    xy, scores = np.full((2, 17, 2), 5.0), np.full((2, 17), 0.9)
    xy[0, 1], scores[0, 2], xy[0, 3], xy[0, 4] = np.nan, 0.1, [31.6, 5], [-0.4, -0.4]
    people = made(xy, scores)
    words = people.in_frame((32, 24)).to_dict()["people"][0]["states"]
    assert words[:6] == ["seen", "missing", "weak", "outside", "seen", "seen"]
    assert people.to_dict()["people"][0]["states"][3] == "seen"


def test_json_has_null_for_a_missing_keypoint_and_three_numbers_for_a_covariance():
    people = json.loads(json.dumps(two_people().to_dict(), allow_nan=False))["people"]
    assert [person["id"] for person in people] == [3, 7]
    assert people[1]["keypoints"][0] is None
    x, y, score, sigma_px = people[0]["keypoints"][0]
    assert (x, y) == tuple(np.round(two_people().keypoints_xy[0, 0], 2))
    assert 0 <= score <= 1 and sigma_px == pytest.approx(math.sqrt(10), abs=1e-3)
    assert people[0]["covariance_px2"][0] == [4, 0, 16]
    assert Poses.empty().to_dict() == {"people": []}


def test_exit_codes_are_those_that_scripts_rely_on():
    codes = {
        error.__name__: error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.LiveposeError)
    }
    assert codes == {
        **{"LiveposeError": 1, "SinkError": 1, "UsageError": 2, "DataError": 2},
        **{"SourceError": 3, "WeightsError": 4, "DeviceError": 5, "GateError": 6},
    }
