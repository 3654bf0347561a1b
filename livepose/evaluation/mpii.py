"""MPII's annotations, as the HRNet family's JSON has them, and its head boxes.

An entry: image, center [x, y], scale (person height over 200 px), joints 16 x [x, y], joints_vis
16, all 1-based; the head box [x1, y1, x2, y2] as ``head_box``, or in the order of the entries in
MPII's own ``gt_valid.mat`` (``headboxes_src``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.dataset import Image, numbers, read_json, single
from livepose.evaluation.predict import Boxed
from livepose.skeletons import MPII16, Skeleton

Array = NDArray[np.float64]
Entry = Mapping[str, Any]

PIXELS_PER_SCALE = 200.0
CENTRE_DOWN_PER_SCALE = 15.0
FIELDS = ("image", "center", "scale", "joints", "joints_vis")
JOINTS = len(MPII16.keypoints)


@dataclass(frozen=True)
class MpiiSet:
    """P people: joints 0-based (P, 16, 2), ``labelled`` (P, 16), head boxes (P, 4)."""

    entries: tuple[Entry, ...]
    joints_xy: Array
    labelled: NDArray[np.bool_]
    head_boxes_xyxy: Array

    @property
    def names(self) -> list[str]:
        """The image of each."""
        return [one["image"] for one in self.entries]

    def boxes(self, alignment: str) -> list[Boxed]:
        """One entry a person, in the order of the file."""
        boxes = person_boxes(self.entries, alignment)
        return [
            Boxed(Image(number, name), box[None], np.ones(1))
            for number, (name, box) in enumerate(zip(self.names, boxes, strict=True))
        ]


def load_mpii(path: Path, head_boxes: Path | None = None, limit: int | None = None) -> MpiiSet:
    """Reads annotations and head boxes.

    DataError when the file is not of that form, is empty, or has no head boxes.
    """
    entries = read_json(path, "annotation file")
    if not isinstance(entries, list):
        raise DataError(f"{path} is not in MPII's form: expected a list")
    if not entries:
        raise DataError(f"{path} lists nobody: there is nothing to score")
    rows = []
    for number, entry in enumerate(entries):
        try:
            rows.append(_checked(entry))
        except (AttributeError, TypeError, ValueError) as error:
            raise DataError(
                f"{path} is not in MPII's form ({', '.join(FIELDS)}): entry {number}: {error}"
            ) from error
    joints, seen, heads = (np.array(column) for column in zip(*rows, strict=True))
    if head_boxes is not None:
        heads = _from_mat(head_boxes)
        if len(heads) != len(entries):
            raise DataError(
                f"{head_boxes} has {len(heads)} head boxes for {len(entries)} people in {path}"
            )
    elif np.isnan(heads).any():
        raise DataError(
            f"{path} has no head_box: give MPII's head boxes with --head-boxes gt_valid.mat"
        )
    if not seen.any():
        raise DataError(f"{path}: nobody has a labelled joint")
    return MpiiSet(tuple(entries[:limit]), joints[:limit] - 1.0, seen[:limit], heads[:limit])


def _checked(entry: Entry) -> tuple[Array, NDArray[np.bool_], Array]:
    """Joints, labels and head box (NaN: none); ValueError, TypeError or AttributeError where a
    field is not what it should be.
    """
    if not isinstance(entry.get("image"), str):
        raise ValueError("image: expected a file name")
    flat = [value for point in entry.get("joints", ()) for value in point]
    joints = numbers({"joints": flat}, "joints", 2 * JOINTS).reshape(JOINTS, 2)
    seen = numbers(entry, "joints_vis", JOINTS) > 0
    numbers(entry, "center", 2)
    if single(entry, "scale") <= 0:
        raise ValueError(f"scale: expected a number above 0, got {entry['scale']}")
    head = numbers(entry, "head_box", 4) if "head_box" in entry else np.full(4, np.nan)
    return joints, seen, head


def _from_mat(path: Path) -> Array:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        corners = np.asarray(loadmat(path)["headboxes_src"], dtype=np.float64)
        return corners.transpose(2, 0, 1).reshape(-1, 4)
    except (OSError, KeyError, ValueError, NotImplementedError, MatReadError) as error:
        raise DataError(f"{path} cannot be read as MPII's gt_valid.mat: {error}") from error


def person_boxes(entries: Sequence[Entry], alignment: str) -> Array:
    """Squares (P, 4) that, padded by 1.25, are what the published code cuts out.

    The centre moves down by 15 px per unit of scale (both stay where the centre is unknown, -1),
    and 1 is taken off because MPII counts from 1. Alignments that take the middle of a box in pixel
    centres get half a pixel more, so that the middle falls where the file says.
    """
    centre = np.array([one["center"] for one in entries], dtype=np.float64).reshape(-1, 2)
    scale = np.array([one["scale"] for one in entries], dtype=np.float64)
    known = centre[:, 0] != -1
    centre[:, 1] += np.where(known, CENTRE_DOWN_PER_SCALE * scale, 0.0)
    half = PIXELS_PER_SCALE * scale[:, None] * np.where(known, 1.0, 0.8)[:, None] / 2
    middle = centre - 1.0 + (0.5 if alignment in {"dark", "pixel_centre", "stride"} else 0.0)
    return np.concatenate([middle - half, middle + half], axis=1)


def as_mpii(keypoints_xy: Array, skeleton: Skeleton) -> tuple[Array, NDArray[np.bool_]]:
    """Keypoints (P, K, 2) of any skeleton in MPII's order, and which of the 16 it has at all."""
    place = {name: index for index, name in enumerate(skeleton.keypoints)}
    has = np.array([name in place for name in MPII16.keypoints])
    order = [place.get(name, 0) for name in MPII16.keypoints]
    return np.where(has[None, :, None], keypoints_xy[:, order], np.nan), has
