"""The share of keypoints that are near enough (PCK) to labelled ones.

Sources: Andriluka et al., CVPR 2014 (PCKh of MPII: errors in head sizes, 0.6 of the diagonal of the
head box); Yang and Ramanan, TPAMI 2013, and Johnson and Everingham, BMVC 2010 (Leeds Sports Pose:
in torso sizes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.skeletons import COCO17, MPII16, Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

HEAD_SIZE_OF_DIAGONAL = 0.6
FACE = 5  # keypoints of COCO: nose, eyes, ears
NOT_COUNTED_IN_MPII = ("pelvis", "thorax")
LSP_GROUPS = {
    part: (f"left_{part}", f"right_{part}")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
MPII_GROUPS = {"head": ("head_top",), **LSP_GROUPS}


@dataclass(frozen=True)
class Pck:
    """Keypoints within a threshold: ``hits`` of what is ``labelled``, (P, K), by the ``image``
    (P,) of each person; ``groups`` (left and right together) have the places of their keypoints.
    """

    hits: Mask
    labelled: Mask
    image: Counts
    groups: Mapping[str, list[int]]

    def scores(self) -> dict[str, float]:
        """Percent of each group and of all keypoints."""
        once = np.ones((1, int(self.image.max()) + 1), dtype=np.int64)
        return {name: float(one[0]) for name, one in self.resampled(once).items()}

    def resampled(self, draws: Counts) -> dict[str, Array]:
        """Percent of each group and of all keypoints, (B,), where image i counts ``draws[b, i]``
        times; NaN where nothing was labelled.

        A group is the plain mean of its left and right; in the mean of all each counts as often as
        it is labelled.
        """
        times = draws[:, self.image]
        right, total = times @ self.hits, times @ self.labelled
        by_joint = _percent(right, total)
        figures = {name: _mean_of_known(by_joint[:, own]) for name, own in self.groups.items()}
        return {**figures, "mean": _percent(right.sum(axis=1), total.sum(axis=1))}


def _percent(right: Counts, total: Counts) -> Array:
    return np.asarray(np.where(total > 0, 100.0 * right / np.maximum(total, 1), np.nan))


def _mean_of_known(values: Array) -> Array:
    """Mean of the finite values of each row; NaN where there is none."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _pck(
    errors: Array,
    labelled: Mask,
    image: Counts,
    threshold: float,
    skeleton: Skeleton,
    groups: Mapping[str, Sequence[str]],
) -> Pck:
    """``errors`` (P, K) are in reference lengths: one equal to the threshold is a hit, NaN (a
    keypoint that was not found) a miss.
    """
    hits = labelled & (np.nan_to_num(errors, nan=np.inf) <= threshold)
    names = skeleton.keypoints
    members = {group: [names.index(one) for one in own] for group, own in groups.items()}
    return Pck(hits, labelled, image, members)


def mpii_pckh(
    keypoints_xy: Array,
    truth_xy: Array,
    labelled: Mask,
    head_boxes_xyxy: Array,
    threshold: float,
    image: Counts,
) -> Pck:
    """PCKh of MPII, (P, 16, 2) against (P, 16, 2) in the same pixels.

    Pelvis and thorax are left out of the mean, as in the published tables. The HRNet family prints
    as "Mean@0.1" what is the mean at 0.11 (an off-by-one in its list of thresholds).
    """
    wh = head_boxes_xyxy[:, 2:] - head_boxes_xyxy[:, :2]
    sizes = HEAD_SIZE_OF_DIAGONAL * np.linalg.norm(wh, axis=1)
    if not (sizes > 0).all():
        raise DataError(f"person {int(np.argmin(sizes > 0))} has an empty head box: fix the file")
    errors = np.linalg.norm(keypoints_xy - truth_xy, axis=2) / sizes[:, None]
    counted = labelled & ~np.isin(MPII16.keypoints, NOT_COUNTED_IN_MPII)
    return _pck(errors, counted, image, threshold, MPII16, MPII_GROUPS)


def torso_sizes(truth_xy: Array, labelled: Mask) -> Array:
    """Left shoulder to right hip, (P, 17, 2) to (P,), in px.

    Where one of the two is not labelled the other diagonal is taken; NaN where neither is whole.
    """
    sizes = np.full(len(truth_xy), np.nan)
    for names in (("right_shoulder", "left_hip"), ("left_shoulder", "right_hip")):
        pair = [COCO17.keypoints.index(name) for name in names]
        length = np.linalg.norm(truth_xy[:, pair[0]] - truth_xy[:, pair[1]], axis=1)
        sizes = np.where(labelled[:, pair].all(axis=1) & (length > 0), length, sizes)
    return sizes


def lsp_pck(
    keypoints_xy: Array, truth_xy: Array, labelled: Mask, image: Counts, threshold: float = 0.2
) -> Pck:
    """PCK of the torso, (P, 17, 2) in COCO order, without the face.

    People without a whole diagonal are left out; DataError where nobody is left.
    """
    sizes = torso_sizes(truth_xy, labelled)
    known = np.isfinite(sizes)
    if not known.any():
        raise DataError("nobody has a shoulder and the opposite hip labelled: no torso to measure")
    errors = np.linalg.norm(keypoints_xy - truth_xy, axis=2)[known] / sizes[known, None]
    body = labelled[known] & (np.arange(len(COCO17.keypoints)) >= FACE)
    return _pck(errors, body, image[known], threshold, COCO17, LSP_GROUPS)
