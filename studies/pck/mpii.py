"""MPII's annotations, as the HRNet family's JSON has them, as one more ``Dataset``.

An entry: image, center [x, y], scale (person height over 200 px), joints 16 x [x, y], joints_vis
16, all 1-based; the head box [x1, y1, x2, y2] as ``head_box``, or in the order of the entries in
MPII's own ``gt_valid.mat`` (``headboxes_src``).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.dataset import Dataset, Image, Person, numbers, read_json, single
from livepose.evaluation.predict import Boxed, annotated_boxes
from livepose.skeletons import MPII16, Skeleton

Array = NDArray[np.float64]
PIXELS_PER_SCALE = 200.0
CENTRE_DOWN_PER_SCALE = 15.0
FIELDS = "image, center, scale, joints, joints_vis, head_box"
JOINTS = len(MPII16.keypoints)


def load_mpii(path: Path, head_boxes: Path | None = None, limit: int | None = None) -> Dataset:
    """Reads annotations, at most ``limit`` images of them; ``entry`` of each person has the head
    box (4,).

    DataError when the file is not of that form, is empty, or has no head boxes.
    """
    entries = read_json(path, "annotation file")
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{path} is not in MPII's form: expected a list of people")
    heads = None if head_boxes is None else _from_mat(head_boxes)
    if heads is not None and len(heads) != len(entries):
        raise DataError(
            f"{head_boxes} has {len(heads)} head boxes for {len(entries)} people in {path}"
        )
    images: dict[str, int] = {}
    people = []
    for number, entry in enumerate(entries):
        try:
            if heads is not None:
                entry = {**entry, "head_box": heads[number].tolist()}
            place = images.setdefault(entry["image"], len(images))
            people.append(_person(entry, place, f"{path}: entry {number}"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path} is not in MPII's form ({FIELDS}; head boxes also by --head-boxes"
                f" gt_valid.mat): entry {number}: {error}"
            ) from error
    listed = tuple(Image(number, name) for name, number in images.items())[:limit]
    kept = sorted((one for one in people if one.image < len(listed)), key=lambda one: one.image)
    dataset = Dataset(path, listed, tuple(kept))
    if not dataset.people:
        raise DataError(f"{path}: nobody has a labelled joint")
    return dataset


def _person(entry: Mapping[str, Any], image: int, name: str) -> Person:
    if not isinstance(entry["image"], str):
        raise ValueError("image: expected a file name")
    flat = [value for point in entry["joints"] for value in point]
    joints = numbers({"joints": flat}, "joints", 2 * JOINTS).reshape(JOINTS, 2) - 1.0
    seen = numbers(entry, "joints_vis", JOINTS) > 0
    box = person_box(numbers(entry, "center", 2), single(entry, "scale"))
    head = {"head_box": numbers(entry, "head_box", 4)}
    keypoints = np.column_stack([joints, 2.0 * seen])
    return Person(image, name, box, keypoints, np.nan, False, np.arange(JOINTS), head)


def person_box(centre: Array, scale: float) -> Array:
    """The square (4,) that, padded by 1.25, is what the published code cuts out.

    The centre moves down by 15 px per unit of scale (both stay where the centre is unknown, -1),
    and 1 is taken off because MPII counts from 1.
    """
    if scale <= 0:
        raise ValueError(f"scale: expected a number above 0, got {scale}")
    known = centre[0] != -1
    middle = centre + np.array([-1.0, CENTRE_DOWN_PER_SCALE * scale * known - 1.0])
    half = PIXELS_PER_SCALE * scale * (1.0 if known else 0.8) / 2
    return np.concatenate([middle - half, middle + half])


def _from_mat(path: Path) -> Array:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        corners = np.asarray(loadmat(path)["headboxes_src"], dtype=np.float64)
        return corners.transpose(2, 0, 1).reshape(-1, 4)
    except (OSError, KeyError, ValueError, NotImplementedError, MatReadError) as error:
        raise DataError(f"{path} cannot be read as MPII's gt_valid.mat: {error}") from error


def as_mpii(keypoints_xy: Array, skeleton: Skeleton) -> Array:
    """Keypoints (P, K, 2) of any skeleton in MPII's order, NaN for joints that it has not."""
    place = {name: index for index, name in enumerate(skeleton.keypoints)}
    found = np.full((len(keypoints_xy), JOINTS, 2), np.nan)
    for joint, name in enumerate(MPII16.keypoints):
        if name in place:
            found[:, joint] = keypoints_xy[:, place[name]]
    return found


def mpii_boxes(people: Dataset, alignment: str) -> list[Boxed]:
    """Boxes to estimate. Alignments that take the middle of a box in pixel centres get half a
    pixel more, so that it falls where the file says.
    """
    shift = 0.5 if alignment in {"dark", "pixel_centre", "stride"} else 0.0
    sample = annotated_boxes(people, alignment)
    return [replace(one, boxes_xyxy=one.boxes_xyxy + shift) for one in sample]
