"""People that the tests of results make."""

import fakes
import numpy as np
from people import made

from livepose.frame import Frame
from livepose.poses import KeypointState, Poses
from livepose.skeletons import COCO17

JOINTS = len(COCO17.keypoints)
INDEX = {name: index for index, name in enumerate(COCO17.keypoints)}
STANDING_XY = 16 * fakes.STANDING_XY  # 352 px from nose to ankles


def people(keypoints_xy, ids=None, sigma_px=2.0, **more) -> Poses:
    """People with these keypoints (P, 17, 2), each keypoint off by ``sigma_px``."""
    xy = np.reshape(keypoints_xy, (-1, JOINTS, 2))
    box_xyxy = 200.0, 40.0, 400.0, 420.0
    return made(xy, boxes_xyxy=box_xyxy, ids=ids, sigma_px=sigma_px).with_arrays(**more)


def frame(index=0, time_s=None, size_wh=(640, 480)) -> Frame:
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    return Frame(image, index / 25 if time_s is None else time_s, index)


def but(**places) -> np.ndarray:
    """Standing, but for some keypoints; None is nowhere."""
    xy = STANDING_XY.copy()
    for name, place in places.items():
        xy[INDEX[name]] = np.nan if place is None else place
    return xy


def bent(degrees: float, **places) -> np.ndarray:
    """The same with the left shank turned clockwise in the image."""
    turn = np.radians(degrees)
    x, y = STANDING_XY[INDEX["left_knee"]]
    return but(left_ankle=(x - 80 * np.sin(turn), y + 80 * np.cos(turn)), **places)


def moved(keypoints_xy: np.ndarray, x: float) -> np.ndarray:
    return keypoints_xy + np.array([x, 0])


def scene(index: int = 0) -> Poses:
    """Two people: one whole, the other without a wrist, and with odd keypoints."""
    other = moved(bent(10 * index, left_wrist=None, right_wrist=(580, 100)), 120)
    odd = {
        "left_wrist": KeypointState.MISSING,
        "right_wrist": KeypointState.OUTSIDE,
        "right_knee": KeypointState.PREDICTED,
        "left_ankle": KeypointState.WEAK,
    }
    states = np.full((2, JOINTS), KeypointState.SEEN, np.uint8)
    for name, state in odd.items():
        states[1, INDEX[name]] = state
    return people([STANDING_XY + index, other], ids=[3, 8], keypoint_states=states)
