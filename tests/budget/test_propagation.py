"""People whose turn has not come: propagated by their boxes, and marked."""

from dataclasses import dataclass

import numpy as np

from livepose.budget import PosePropagation, joined
from livepose.poses import KeypointState, Poses


@dataclass
class Places:
    boxes_xyxy: np.ndarray
    track_ids: np.ndarray


def people(ids: list[int], left: float = 0.0) -> Poses:
    count = len(ids)
    keypoints_xy = left + np.random.default_rng(1).uniform(10, 90, (count, 17, 2))
    keypoints_xy[:, 3] = np.nan
    scores = np.where(np.isfinite(keypoints_xy[..., 0]), 0.8, 0.0)
    boxes_xyxy = np.tile(np.array([left, left, left + 100.0, left + 200.0]), (count, 1))
    spread = np.tile(np.eye(2), (count, 17, 1, 1))
    return Poses(keypoints_xy, scores, boxes_xyxy, np.ones(count), np.array(ids), spread)


def test_a_pose_moves_and_grows_with_its_box_and_says_so() -> None:
    propagation, seen = PosePropagation(), people([4, 7])
    propagation.remember(seen, Places(seen.boxes_xyxy, seen.track_ids))
    target = np.array([[30.0, 40.0, 140.0, 260.0]])
    propagated = propagation.propagate(target, np.array([7]))
    assert propagated is not None
    assert propagated.track_ids.tolist() == [7]
    expected = (30, 40) + 1.1 * seen.keypoints_xy[1]
    np.testing.assert_allclose(propagated.keypoints_xy[0], expected)
    assert np.isnan(propagated.covariance_px2).all()
    states = propagated.keypoint_states[0]
    assert states[3] == KeypointState.MISSING
    assert (np.delete(states, 3) == KeypointState.PREDICTED).all()


def test_the_box_is_that_of_the_tracker_after_the_keypoints_had_moved_it() -> None:
    propagation, seen = PosePropagation(), people([1])
    moved = seen.boxes_xyxy + 5.0
    propagation.remember(seen, Places(moved, seen.track_ids))
    propagated = propagation.propagate(moved, np.array([1]))
    assert propagated is not None
    np.testing.assert_allclose(propagated.keypoints_xy, seen.keypoints_xy)


def test_strangers_are_not_carried() -> None:
    propagation, seen = PosePropagation(), people([1])
    assert propagation.propagate(seen.boxes_xyxy, np.array([1])) is None
    propagation.remember(seen, Places(seen.boxes_xyxy, seen.track_ids))
    assert propagation.propagate(seen.boxes_xyxy, np.array([2])) is None
    propagation.reset()
    assert propagation.propagate(seen.boxes_xyxy, np.array([1])) is None


def test_all_come_back_sorted_by_id() -> None:
    both = joined(people([2, 9]), people([5]))
    assert both.track_ids.tolist() == [2, 5, 9]
    assert joined(people([2]), None).track_ids.tolist() == [2]
