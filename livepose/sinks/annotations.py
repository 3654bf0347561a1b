"""What was found as annotations: COCO's results and data sets, YOLO-pose labels, OpenPose's JSON.

Forms: https://cocodataset.org/#format-data, https://cocodataset.org/#format-results,
https://docs.ultralytics.com/datasets/pose/, and BODY_25 of
https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
"""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.files import WholeFile
from livepose.frame import Frame, ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.sinks.files import FolderSink, FrameNames, write_output
from livepose.sinks.sink import Sink, check_file, check_folder, written
from livepose.skeletons import COCO17

Floats = NDArray[np.float64]

_PERSON = 1
_VISIBILITY = np.zeros(len(KeypointState), dtype=np.int64)
_VISIBILITY[[KeypointState.SEEN, KeypointState.PROPAGATED]] = 2
_VISIBILITY[[KeypointState.WEAK, KeypointState.PREDICTED]] = 1
"""COCO's flag by state: 0 not labelled, 1 labelled but not visible, 2 visible."""

_BODY_25 = (  # but for toes and heels, which livepose does not know
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
    *("mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
MIDPOINTS = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
"""Points that are in the middle of two keypoints."""
_EMPTY_PARTS = (
    *("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d"),
    *("pose_keypoints_3d", "face_keypoints_3d"),
    *("hand_left_keypoints_3d", "hand_right_keypoints_3d"),
)


class CocoSink(Sink):
    """Writes a COCO results list, which ``pycocotools`` loads as detections.

    The file appears, whole, when the sink is closed. Missing keypoints are 0, 0, 0.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._path, self._image_id, self._before = Path(path), _ImageIds(), b"[\n"
        check_file(self._path, overwrite=overwrite)
        with written(self._path):
            self._file = WholeFile(self._path)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds the people of one frame."""
        number, is_told = self._image_id(frame)
        image = {"image_id": number} | ({} if is_told else {"file_name": frame.name})
        own = poses.in_source_pixels(frame.scale_xy)
        points = np.concatenate([own.keypoints_xy, own.keypoint_scores[..., None]], axis=2)
        points[~np.isfinite(own.keypoints_xy).all(axis=2)] = 0.0
        for person, keypoints in zip(own, points, strict=True):
            left, top, right, bottom = np.nan_to_num(person.boxes_xyxy[0]).tolist()
            record = image | {
                "category_id": _PERSON,
                "keypoints": [round(value, 3) for value in keypoints.ravel().tolist()],
                "score": round(float(np.nan_to_num(person.scores[0])), 6),
                "bbox": [round(value, 3) for value in (left, top, right - left, bottom - top)],
            }
            with written(self._path):
                self._file.file.write(self._before + json.dumps(record, allow_nan=False).encode())
            self._before = b",\n"

    def close(self) -> None:
        """Puts the finished file in its place; a second call does nothing."""
        with written(self._path), closing(self._file):
            self._file.file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


class _ImageIds:
    """COCO's number of an image: the number in its name, or the frame's index.

    An image whose number is another one's gets the next free number.
    """

    def __init__(self) -> None:
        self._given: set[int] = set()

    def __call__(self, frame: Frame) -> tuple[int, bool]:
        """The number, and whether it says which image that is."""
        if frame.name is None:
            return frame.index, True
        found = re.fullmatch(r"[^0-9]*([0-9]{1,18})", Path(frame.name).stem)
        number = int(found[1]) if found else frame.index
        if is_taken := number in self._given:
            number = max(self._given) + 1
        self._given.add(number)
        return number, found is not None and not is_taken


class CocoDatasetSink(Sink):
    """Writes images and annotations in COCO's keypoint form, with ``track_id`` and ``score``.

    The file appears, whole, when the sink is closed. Frames of a video are called by ``stem`` and
    number, ``walk_000000000012.jpg``; images keep their name.
    """

    def __init__(
        self, path: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        check_file(Path(path), overwrite=overwrite)
        self._path: Path | None = Path(path)
        self._image_id, self._names = _ImageIds(), FrameNames(stem)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._skeleton = COCO17

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds one image and its people, in the source's own pixels."""
        self._skeleton = poses.skeleton
        (wide, tall), (x, y) = frame.size_wh, frame.scale_xy
        width, height = round(wide / x), round(tall / y)
        number, _ = self._image_id(frame)
        suffix = Path(frame.name).suffix if frame.name else ".jpg"
        image = {"id": number, "file_name": f"{self._names(frame)}{suffix}"}
        image |= {"width": width, "height": height, "time_s": round(frame.time_s, 6)}
        self._images.append(image)
        for person in poses.in_source_pixels(frame.scale_xy):
            ids = {"id": len(self._annotations) + 1, "image_id": number}
            self._annotations.append(ids | _annotation(person, (width, height)))

    def close(self) -> None:
        """Writes the file; a second call does nothing."""
        path, self._path = self._path, None
        if path is None:
            return
        category = {
            **{"id": _PERSON, "name": "person", "supercategory": "person"},
            "keypoints": list(self._skeleton.keypoints),
            # Keypoints are counted from 1.
            "skeleton": [[first + 1, second + 1] for first, second in self._skeleton.limbs],
        }
        document = {
            "info": {"description": "found by livepose, not checked by anybody"},
            "licenses": [],
            "images": self._images,
            "annotations": self._annotations,
            "categories": [category],
        }
        write_output(path, json.dumps(document, allow_nan=False))


def _annotation(person: Poses, size_wh: tuple[int, int]) -> dict[str, Any]:
    """One person (P = 1) of a data set, without the numbers of annotation and image."""
    points, box = _labelled(person, size_wh)
    left, top, width, height = box.round(2).tolist()
    return {
        "category_id": _PERSON,
        "keypoints": [v for x, y, flag in points.round(2).tolist() for v in (x, y, int(flag))],
        "num_keypoints": int((points[:, 2] > 0).sum()),
        "bbox": [left, top, width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "score": round(float(np.nan_to_num(person.scores[0])), 4),
        "track_id": int(person.track_ids[0]),
    }


def _labelled(person: Poses, size_wh: tuple[int, int]) -> tuple[Floats, Floats]:
    """Of one person (P = 1) x, y and COCO's flag, (K, 3), and the box's left, top, width, height.

    Keypoints outside of the image are zeros, and the box is cut there.
    """
    xy = person.keypoints_xy[0]
    inside = ((xy >= 0) & (xy <= np.array(size_wh) - 1)).all(axis=1)
    flags = np.where(inside, _VISIBILITY[person.keypoint_states[0]], 0)[:, None]
    edges = np.clip(np.nan_to_num(person.boxes_xyxy[0]), 0.0, np.tile(size_wh, 2))
    box = np.concatenate([edges[:2], np.maximum(edges[2:] - edges[:2], 0.0)])
    return np.concatenate([np.where(flags > 0, xy, 0.0), flags], axis=1), box


class YoloPoseSink(FolderSink):
    """Writes ``labels/NAME.txt`` for each image, and ``dataset.yaml``, into a folder.

    A line a person: class 0, centre and size of the box, then x, y and flag of each keypoint, as
    shares of the image. The images themselves belong into ``images/`` beside ``labels/``.
    """

    _begun = False

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the labels of one image."""
        if not self._begun:
            self._begun = True
            check_folder(self._folder / "labels", overwrite=True)
            write_output(
                self._folder / "dataset.yaml",
                "path: .\ntrain: images\nval: images\n"
                f"kpt_shape: [{len(poses.skeleton.keypoints)}, 3]\n"
                f"flip_idx: {list(poses.skeleton.flip_permutation)}\nnames:\n  0: person\n",
            )
        lines = "".join(f"{_yolo_line(person, frame.size_wh)}\n" for person in poses)
        write_output(self._folder / "labels" / f"{self._names(frame)}.txt", lines)


def _yolo_line(person: Poses, size_wh: tuple[int, int]) -> str:
    """One person (P = 1) as a line of YOLO-pose labels."""
    points, box = _labelled(person, size_wh)
    # A share of 0 is the image's edge, half a pixel before the centre of its first pixel.
    points[:, :2] = np.where(points[:, 2:] > 0, (points[:, :2] + 0.5) / size_wh, 0.0)
    shares = *((box[:2] + box[2:] / 2) / size_wh), *(box[2:] / size_wh)
    keypoints = (f"{x:.6f} {y:.6f} {flag:.0f}" for x, y, flag in points)
    return " ".join(["0", *(f"{share:.6f}" for share in shares), *keypoints])


class OpenPoseSink(FolderSink):
    """Writes ``<stem>_000000000000_keypoints.json`` for each frame into a folder.

    What is missing is 0, 0, 0, as the format demands.
    """

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the file of one frame."""
        people = [
            {
                "person_id": [int(person.track_ids[0])],
                "pose_keypoints_2d": [round(one, 4) for one in body_25(person).ravel().tolist()],
                **{part: [] for part in _EMPTY_PARTS},
            }
            for person in poses.in_source_pixels(frame.scale_xy)
        ]
        path = self._folder / f"{self._names(frame)}_keypoints.json"
        write_output(path, json.dumps({"version": 1.3, "people": people}, allow_nan=False))


def body_25(person: Poses) -> Floats:
    """One person (P = 1) as (25, 3): x, y, score; zeros where a point is missing."""
    points = np.zeros((25, 3))
    names = {name: index for index, name in enumerate(person.skeleton.keypoints)}
    for row, name in enumerate(_BODY_25):
        parts = MIDPOINTS.get(name, (name,))
        which = [names[part] for part in parts if part in names]
        xy = person.keypoints_xy[0, which]
        if len(which) == len(parts) and np.isfinite(xy).all():
            points[row, :2] = xy.mean(axis=0)
            # A midpoint is no surer than the less sure of its ends.
            points[row, 2] = person.keypoint_scores[0, which].min()
    return points
