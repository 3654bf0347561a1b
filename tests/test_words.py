"""The words: boxes, skeletons, poses, errors."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from livepose import boxes, errors
from livepose.frame import Frame
from livepose.poses import Poses


def two_people() -> Poses:
    """Two people; the second lacks the nose."""
    rng = np.random.default_rng(0)
    keypoints_xy = rng.uniform(0, 100, (2, 17, 2))
    scores = rng.uniform(0.2, 1.0, (2, 17))
    keypoints_xy[1, 0], scores[1, 0] = np.nan, 0.0
    covariance = np.broadcast_to(np.diag([4.0, 16.0]), (2, 17, 2, 2)).copy()
    covariance[1, 0] = np.nan
    return Poses(
        keypoints_xy=keypoints_xy,
        keypoint_scores=scores,
        boxes_xyxy=np.array([[0.0, 0, 50, 100], [20, 10, 60, 90]]),
        scores=np.array([0.9, 0.8]),
        track_ids=np.array([3, 7]),
        covariance_px2=covariance,
    )


def test_iou_on_cases_known_on_paper() -> None:
    first = np.array([[0.0, 0, 10, 10], [5, 5, 5, 5], [0, 0, 10, 10]])
    second = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(boxes.iou(first, second)[0], [1, 1 / 3, 0])
    assert (boxes.iou(first, second)[1] == 0).all()
    assert boxes.iou(np.empty((0, 4)), second).shape == (0, 3)


def test_boxes_are_cut_at_the_edges_of_the_picture() -> None:
    cut = boxes.clip(np.array([[-5.0, 3, 700, 500]]), (640, 480))
    assert cut.tolist() == [[0, 3, 640, 480]]


def test_poses_refuse_shapes_that_do_not_fit() -> None:
    with pytest.raises(
        ValueError, match=r"keypoint_scores: expected shape \(1, 17\), got \(1, 16\)"
    ):
        Poses(
            keypoints_xy=np.zeros((1, 17, 2)),
            keypoint_scores=np.zeros((1, 16)),
            boxes_xyxy=np.zeros((1, 4)),
            scores=np.zeros(1),
            track_ids=np.zeros(1, dtype=np.int64),
            covariance_px2=np.zeros((1, 17, 2, 2)),
        )


def test_a_state_follows_from_position_and_score_and_the_edge_of_the_frame() -> None:
    xy = np.full((1, 17, 2), 5.0)
    scores = np.full((1, 17), 0.9)
    xy[0, 1], scores[0, 2], xy[0, 3], xy[0, 4] = np.nan, 0.1, [31.6, 5], [-0.4, -0.4]
    person = replace(
        Poses.empty(),
        keypoints_xy=xy,
        keypoint_scores=scores,
        boxes_xyxy=np.zeros((1, 4)),
        scores=np.ones(1),
        track_ids=np.ones(1, dtype=np.int64),
        covariance_px2=np.full((1, 17, 2, 2), np.nan),
        keypoint_states=np.empty((0, 0), dtype=np.uint8),
    )
    words = person.in_frame((32, 24)).to_dict()["people"][0]["states"]
    assert words[:6] == ["seen", "missing", "weak", "outside", "seen", "seen"]
    assert person.to_dict()["people"][0]["states"][3] == "seen"


def test_states_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="keypoint_states"):
        replace(two_people(), keypoint_states=np.ones((2, 5), dtype=np.uint8))


def test_a_covariance_is_its_three_numbers_in_json() -> None:
    person = two_people().to_dict()["people"][0]
    (xx, xy), (_, yy) = two_people().covariance_px2[0, 0]
    assert person["covariance_px2"][0] == pytest.approx([xx, xy, yy], abs=1e-3)


def test_a_missing_keypoint_is_null_in_json_and_never_nan() -> None:
    people = json.loads(json.dumps(two_people().to_dict(), allow_nan=False))["people"]
    assert people[1]["keypoints"][0] is None
    x, y, score, sigma_px = people[0]["keypoints"][0]
    assert sigma_px == pytest.approx(math.sqrt(10), abs=1e-3)
    assert 0 <= score <= 1
    assert (x, y) == tuple(np.round(two_people().keypoints_xy[0, 0], 2))
    assert [person["id"] for person in people] == [3, 7]


def test_people_can_be_selected_and_walked_through() -> None:
    people = two_people()
    assert people.select(np.array([True, False])).track_ids.tolist() == [3]
    assert [len(person) for person in people] == [1, 1]
    assert len(Poses.empty()) == 0
    assert Poses.empty().to_dict() == {"people": []}


def test_poses_become_supervision_key_points() -> None:
    supervision = pytest.importorskip("supervision", reason="the optional package supervision")
    people = two_people()
    found = people.to_supervision()
    assert isinstance(found, supervision.KeyPoints)
    np.testing.assert_allclose(found.xy[0], people.keypoints_xy[0], rtol=1e-6)
    assert found.xy[1, 0].tolist() == [0, 0]  # supervision's own sign for a missing point
    assert found.data["track_id"].tolist() == [3, 7]


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    codes = {
        error.__name__: error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.LiveposeError)
    }
    assert codes == {
        "LiveposeError": 1,
        "SinkError": 1,
        "UsageError": 2,
        "DataError": 2,
        "SourceError": 3,
        "WeightsError": 4,
        "DeviceError": 5,
        "GateError": 6,
    }


def test_a_frame_knows_its_width_before_its_height() -> None:
    assert Frame(np.zeros((48, 64, 3), np.uint8), 0.0, 0).size_wh == (64, 48)
