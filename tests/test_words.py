"""The words: boxes, frames, poses, errors."""

import numpy as np
from people import made

from livepose import boxes, errors


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
