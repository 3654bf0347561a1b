"""The share of keypoints that are near enough: PCKh of MPII, PCK of the torso for LSP.

Sources: Andriluka et al., CVPR 2014 (MPII and PCKh: errors in head sizes, where the head size is
0.6 of the diagonal of the head box); Yang and Ramanan, TPAMI 2013, and Johnson and Everingham,
BMVC 2010 (Leeds Sports Pose: errors in torso sizes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livepose.errors import DataError
from livepose.evaluation.bootstrap import resampled_share
from livepose.skeletons import COCO17, MPII16, Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

HEAD_SIZE_OF_DIAGONAL = 0.6
FACE = 5  # keypoints of COCO: nose, eyes, ears
NOT_COUNTED_IN_MPII = ("pelvis", "thorax")
LSP_GROUPS = {
    part.capitalize(): (f"left_{part}", f"right_{part}")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
MPII_GROUPS: dict[str, tuple[str, ...]] = {"Head": ("head_top",), **LSP_GROUPS}


@dataclass(frozen=True)
class Pck:
    """Percent of keypoints within the threshold: by group (left and right together) and mean.

    NaN where nothing was labelled. For intervals: ``hits`` and ``labelled`` (Q, K) of the Q people
    who could be scored, ``people`` (Q,), their indices, ``members``, the columns of each group,
    and ``counted`` (K,), those that the mean is over.
    """

    groups: Mapping[str, float]
    mean: float
    hits: Mask
    labelled: Mask
    people: NDArray[np.int64]
    members: Mapping[str, list[int]]
    counted: Mask

    def resampled(self, picture: NDArray[np.int64]) -> dict[str, Array]:
        """Every column for each resample of pictures; ``picture`` (P,) as of all people."""
        own = picture[self.people]

        def share(columns: NDArray[np.int64] | list[int]) -> Array:
            return resampled_share(self.hits[:, columns], self.labelled[:, columns], own)

        groups = {
            name.lower(): mean_of_known([share([column]) for column in columns], axis=0)
            for name, columns in self.members.items()
            if columns
        }
        return {**groups, "mean": share(np.flatnonzero(self.counted))}


def scored(
    errors: Array,
    labelled: Mask,
    threshold: float,
    skeleton: Skeleton,
    groups: Mapping[str, Sequence[str]],
    left_out: Sequence[str] = (),
) -> Pck:
    """Percent by group and over all keypoints, each weighted by how often it is labelled.

    ``errors`` (P, K) are in reference lengths: one equal to the threshold is a hit, NaN (a keypoint
    that was not found) a miss. A group is the plain mean of its left and right, as published.
    """
    hits = labelled & (np.nan_to_num(errors, nan=np.inf) <= threshold)
    count = labelled.sum(axis=0)
    share = np.where(count > 0, 100.0 * hits.sum(axis=0) / np.maximum(count, 1), np.nan)
    place = {name: index for index, name in enumerate(skeleton.keypoints)}
    members = {
        group: [place[name] for name in names if name in place] for group, names in groups.items()
    }
    by_group = {group: float(mean_of_known(share[own])) for group, own in members.items()}
    counted = np.array([name not in left_out for name in skeleton.keypoints])
    total = labelled[:, counted].sum()
    mean = 100.0 * float(hits[:, counted].sum()) / total if total else float("nan")
    return Pck(by_group, mean, hits, labelled, np.arange(len(hits)), members, counted)


def mean_of_known(values: ArrayLike, axis: int | None = None) -> Array:
    """Mean of the finite values, along ``axis`` or of all; NaN where there is none."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def mpii_pckh(
    keypoints_xy: Array, truth_xy: Array, labelled: Mask, head_boxes_xyxy: Array, threshold: float
) -> Pck:
    """PCKh of MPII, (P, 16, 2) against (P, 16, 2) in the same pixels.

    Pelvis and thorax are left out of the mean, as in the published tables. The HRNet family prints
    as "Mean@0.1" what is the mean at 0.11 (an off-by-one in its list of thresholds).
    """
    wh = head_boxes_xyxy[:, 2:] - head_boxes_xyxy[:, :2]
    sizes = HEAD_SIZE_OF_DIAGONAL * np.linalg.norm(wh, axis=1)
    if len(sizes) and not (sizes > 0).all():
        raise DataError(f"person {int(np.argmin(sizes > 0))} has an empty head box: fix the file")
    errors = np.linalg.norm(keypoints_xy - truth_xy, axis=2) / sizes[:, None]
    return scored(errors, labelled, threshold, MPII16, MPII_GROUPS, NOT_COUNTED_IN_MPII)


def torso_sizes(truth_xy: Array, labelled: Mask) -> Array:
    """Left shoulder to right hip, (P, 17, 2) to (P,), in px.

    Where one of the two is not labelled the other diagonal is taken; NaN where neither is whole.
    """
    sizes = np.full(len(truth_xy), np.nan)
    for names in (("right_shoulder", "left_hip"), ("left_shoulder", "right_hip")):
        pair = [COCO17.keypoints.index(name) for name in names]
        whole = labelled[:, pair].all(axis=1)
        length = np.linalg.norm(truth_xy[:, pair[0]] - truth_xy[:, pair[1]], axis=1)
        sizes = np.where(whole & (length > 0), length, sizes)
    return sizes


def lsp_pck(keypoints_xy: Array, truth_xy: Array, labelled: Mask, threshold: float = 0.2) -> Pck:
    """PCK of the torso, (P, 17, 2) in COCO order, without the face.

    People without a whole diagonal are left out; DataError where nobody is left.
    """
    sizes = torso_sizes(truth_xy, labelled)
    known = np.isfinite(sizes)
    if not known.any():
        raise DataError("nobody has a shoulder and the opposite hip labelled: no torso to measure")
    errors = np.linalg.norm(keypoints_xy - truth_xy, axis=2)[known] / sizes[known, None]
    body = labelled[known] & (np.arange(len(COCO17.keypoints)) >= FACE)
    found = scored(errors, body, threshold, COCO17, LSP_GROUPS)
    return replace(found, people=np.flatnonzero(known))
