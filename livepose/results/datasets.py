"""What was found as a data set to be corrected by hand: COCO keypoints, and YOLO-pose labels.

Forms: https://cocodataset.org/#format-data and https://docs.ultralytics.com/datasets/pose/
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.frame import Frame, ImageBgr
from livepose.poses import KeypointState, Poses
from livepose.sinks.claims import check_file, check_writable
from livepose.sinks.coco import PERSON, ImageIds
from livepose.sinks.files import FrameNames, make_folder, write_whole
from livepose.sinks.protocol import Closing
from livepose.skeletons import COCO17, Skeleton

_VISIBILITY = np.zeros(len(KeypointState), dtype=np.int64)
_VISIBILITY[[KeypointState.SEEN, KeypointState.PROPAGATED]] = 2
_VISIBILITY[[KeypointState.WEAK, KeypointState.PREDICTED]] = 1
"""COCO's flag by state: 0 not labelled, 1 labelled but not visible, 2 visible."""


class CocoDatasetSink(Closing):
    """Writes pictures and annotations in COCO's keypoint form, with ``track_id`` and ``score``.

    The file appears, whole, when the sink is closed.

    Parameters
    ----------
    path : str or Path
    stem : str
        What frames of a video are called: ``walk_000000000012.jpg``. Pictures keep their name.
    """

    def __init__(
        self, path: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        self._path = Path(path)
        check_file(self._path, overwrite=overwrite)
        self._ids, self._names = ImageIds(), FrameNames(stem)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._skeleton = COCO17
        self._closed = False

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds one picture and its people, in the source's own pixels."""
        own, self._skeleton = poses.in_source_pixels(frame.scale_xy), poses.skeleton
        width, height = (
            round(side / scale) for side, scale in zip(frame.size_wh, frame.scale_xy, strict=True)
        )
        number = self._ids(frame)["image_id"]
        image = {
            "id": number,
            "file_name": f"{self._names(frame)}{Path(frame.name).suffix if frame.name else '.jpg'}",
            "width": width,
            "height": height,
            "time_s": round(frame.time_s, 6),
        }
        self._images.append(image)
        for person in own:
            ids = {"id": len(self._annotations) + 1, "image_id": number}
            self._annotations.append(ids | _annotation(person, (width, height)))

    def close(self) -> None:
        """Writes the file; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        category = {
            "id": PERSON,
            "name": "person",
            "supercategory": "person",
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
        write_whole(self._path, json.dumps(document, allow_nan=False))


def _annotation(person: Poses, size_wh: tuple[int, int]) -> dict[str, Any]:
    """One person (P = 1), without the number of the annotation and of the picture."""
    flags = _flags(person, size_wh)
    xy = np.where(flags[:, None] > 0, person.keypoints_xy[0], 0.0).round(2).tolist()
    left, top, width, height = _box_xywh(person, size_wh).round(2).tolist()
    return {
        "category_id": PERSON,
        "keypoints": [
            one for (x, y), flag in zip(xy, flags.tolist(), strict=True) for one in (x, y, flag)
        ],
        "num_keypoints": int((flags > 0).sum()),
        "bbox": [left, top, width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "score": round(float(np.nan_to_num(person.scores[0])), 4),
        "track_id": int(person.track_ids[0]),
    }


def _flags(person: Poses, size_wh: tuple[int, int]) -> NDArray[np.int64]:
    """COCO's flag of each keypoint of one person (P = 1); 0 outside of the picture."""
    xy = person.keypoints_xy[0]
    with np.errstate(invalid="ignore"):
        inside = ((xy >= 0) & (xy <= np.array(size_wh) - 1)).all(axis=1)
    return np.where(inside, _VISIBILITY[person.keypoint_states[0]], 0)


def _box_xywh(person: Poses, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Left, top, width and height of a person's box, cut at the picture."""
    edges = np.nan_to_num(person.boxes_xyxy[0])
    edges = np.clip(edges, 0.0, np.array([*size_wh, *size_wh], dtype=np.float64))
    return np.concatenate([edges[:2], np.maximum(edges[2:] - edges[:2], 0.0)])


class YoloPoseSink(Closing):
    """Writes ``labels/NAME.txt`` for each picture, and ``dataset.yaml``, into a folder.

    A line a person: class 0, centre and size of the box, then x, y and flag of each keypoint, as
    shares of the picture. The pictures themselves belong into ``images/`` beside ``labels/``.
    """

    def __init__(
        self, folder: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        self._folder = Path(folder)
        if self._folder.exists():
            check_writable(self._folder, overwrite=overwrite)
        make_folder(self._folder)
        make_folder(self._folder / "labels")
        self._names = FrameNames(stem)
        self._skeleton: Skeleton | None = None

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes the labels of one picture."""
        if self._skeleton is None:
            self._skeleton = poses.skeleton
            order = ", ".join(map(str, poses.skeleton.flip_permutation))
            shape = f"[{len(poses.skeleton.keypoints)}, 3]"
            write_whole(
                self._folder / "dataset.yaml",
                "path: .\ntrain: images\nval: images\n"
                f"kpt_shape: {shape}\nflip_idx: [{order}]\nnames:\n  0: person\n",
            )
        lines = "".join(f"{_yolo_line(person, frame.size_wh)}\n" for person in poses)
        write_whole(self._folder / "labels" / f"{self._names(frame)}.txt", lines)


def _yolo_line(person: Poses, size_wh: tuple[int, int]) -> str:
    """One person (P = 1) as a line of YOLO-pose labels."""
    size = np.array(size_wh, dtype=np.float64)
    left_top, wh = np.split(_box_xywh(person, size_wh), 2)
    flags = _flags(person, size_wh)
    # A share of 0 is the picture's edge, half a pixel before the centre of its first pixel.
    shares = np.where(flags[:, None] > 0, (person.keypoints_xy[0] + 0.5) / size, 0.0)
    box = np.concatenate([(left_top + wh / 2) / size, wh / size])
    points = (
        f"{x:.6f} {y:.6f} {flag}"
        for (x, y), flag in zip(shares.tolist(), flags.tolist(), strict=True)
    )
    return " ".join(["0", *(f"{value:.6f}" for value in box), *points])
