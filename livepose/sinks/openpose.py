"""OpenPose's JSON, one file a frame, in BODY_25 form: what Pose2Sim and others read.

Order of BODY_25: https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.claims import check_writable
from livepose.sinks.files import FrameNames, make_folder, write_whole
from livepose.sinks.protocol import Closing

BODY_25: tuple[tuple[str, ...], ...] = (
    ("nose",),
    ("left_shoulder", "right_shoulder"),  # Neck
    *(("right_shoulder",), ("right_elbow",), ("right_wrist",)),
    *(("left_shoulder",), ("left_elbow",), ("left_wrist",)),
    ("left_hip", "right_hip"),  # MidHip
    *(("right_hip",), ("right_knee",), ("right_ankle",)),
    *(("left_hip",), ("left_knee",), ("left_ankle",)),
    *(("right_eye",), ("left_eye",), ("right_ear",), ("left_ear",)),
    *(((),) * 6),  # toes and heels, which livepose does not know
)
"""For each point of BODY_25 the keypoints whose mean it is."""

_EMPTY_PARTS = (
    *("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d"),
    *("pose_keypoints_3d", "face_keypoints_3d"),
    *("hand_left_keypoints_3d", "hand_right_keypoints_3d"),
)


class OpenPoseSink(Closing):
    """Writes ``<stem>_000000000000_keypoints.json`` for each frame into a folder.

    A still picture gives its own name instead. What is missing is 0, 0, 0, as the format demands.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing; the folder around it has to exist.
    stem : str
        What file names start with; the name of the source, for instance.
    """

    def __init__(
        self, folder: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        self._folder = Path(folder)
        make_folder(self._folder)
        check_writable(self._folder, overwrite=overwrite)
        self._names = FrameNames(stem)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the file of one frame."""
        path = self._folder / f"{self._names(frame)}_keypoints.json"
        own = poses.in_source_pixels(frame.scale_xy)
        record = {"version": 1.3, "people": [_person(person) for person in own]}
        write_whole(path, json.dumps(record, allow_nan=False))


def body_25(person: Poses) -> NDArray[np.float64]:
    """One person (P = 1) as (25, 3): x, y, score; zeros where a point is missing."""
    points = np.zeros((len(BODY_25), 3))
    names = {name: index for index, name in enumerate(person.skeleton.keypoints)}
    for row, parts in enumerate(BODY_25):
        which = [names[part] for part in parts if part in names]
        xy = person.keypoints_xy[0, which]
        if parts and len(which) == len(parts) and np.isfinite(xy).all():
            points[row, :2] = xy.mean(axis=0)
            # A midpoint is no surer than the less sure of its ends.
            points[row, 2] = person.keypoint_scores[0, which].min()
    return points


def _person(person: Poses) -> dict[str, Any]:
    flat = [round(float(value), 4) for value in body_25(person).ravel()]
    record: dict[str, Any] = {"person_id": [int(person.track_ids[0])], "pose_keypoints_2d": flat}
    return {**record, **{part: [] for part in _EMPTY_PARTS}}
