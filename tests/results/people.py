"""People that the tests of results make."""

import numpy as np

from livepose.frame import Frame
from livepose.poses import KeypointState, Poses
from livepose.skeletons import COCO17

JOINTS = len(COCO17.keypoints)
INDEX = {name: index for index, name in enumerate(COCO17.keypoints)}
# A person who stands upright, 340 px from nose to ankles, facing the camera.
STANDING_XY = np.array(
    [
        *((300, 60), (305, 55), (295, 55), (312, 60), (288, 60), (340, 120), (260, 120)),
        *((350, 180), (250, 180), (355, 240), (245, 240), (325, 250), (275, 250)),
        *((325, 325), (275, 325), (325, 400), (275, 400)),
    ],
    dtype=np.float64,
)


def people(keypoints_xy, ids=None, sigma_px=2.0, states=None) -> Poses:
    """People with these keypoints (P, 17, 2), each keypoint off by ``sigma_px``."""
    xy = np.asarray(keypoints_xy, dtype=np.float64).reshape(-1, JOINTS, 2)
    count = len(xy)
    known = np.isfinite(xy).all(axis=2)
    covariance = np.tile(np.eye(2) * sigma_px**2, (count, JOINTS, 1, 1))
    more = {} if states is None else {"keypoint_states": np.asarray(states, np.uint8)}
    return Poses(
        keypoints_xy=xy,
        keypoint_scores=np.where(known, 0.8, 0.0),
        boxes_xyxy=np.tile([200.0, 40.0, 400.0, 420.0], (count, 1)),
        scores=np.full(count, 0.9),
        track_ids=np.arange(1, count + 1) if ids is None else np.asarray(ids, np.int64),
        covariance_px2=np.where(known[..., None, None], covariance, np.nan),
        **more,
    )


def frame(index=0, time_s=None, name=None, size_wh=(640, 480)) -> Frame:
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    return Frame(image, index / 25 if time_s is None else time_s, index, name=name)


def bent(joint: str, end: str, degrees: float) -> np.ndarray:
    """Standing, with the limb from ``joint`` to ``end`` turned clockwise in the image."""
    xy = STANDING_XY.copy()
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    start = xy[INDEX[joint]]
    xy[INDEX[end]] = start + matrix @ (xy[INDEX[end]] - start)
    return xy


def moved(keypoints_xy: np.ndarray, x: float, y: float = 0.0) -> np.ndarray:
    return keypoints_xy + np.array([x, y])


def scene(index: int = 0) -> Poses:
    """Two people: one whole, the other without a wrist, and with odd keypoints."""
    other = moved(bent("left_knee", "left_ankle", 10 * index), 120)
    odd = {
        "left_wrist": KeypointState.MISSING,
        "right_wrist": KeypointState.OUTSIDE,
        "right_knee": KeypointState.PREDICTED,
        "left_ankle": KeypointState.WEAK,
    }
    other[INDEX["left_wrist"]], other[INDEX["right_wrist"]] = np.nan, (700.0, 100.0)
    states = np.full((2, JOINTS), KeypointState.SEEN)
    for name, state in odd.items():
        states[1, INDEX[name]] = state
    return people([STANDING_XY + index, other], ids=[3, 8], states=states)
