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
from livepose.skeletons import COCO17, MPII16, Skeleton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

HEAD_SIZE_OF_DIAGONAL = 0.6
NOT_COUNTED_IN_MPII = ("pelvis", "thorax")
MPII_GROUPS: dict[str, tuple[str, ...]] = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
LSP_GROUPS = {name: joints for name, joints in MPII_GROUPS.items() if name != "Head"}


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


def pck(errors: Array, labelled: Mask, threshold: float) -> tuple[Mask, Array]:
    """Hits (P, K) and percent by keypoint (K,); an error equal to the threshold is a hit.

    ``errors`` (P, K) are in reference lengths; NaN (a keypoint that was not found) is a miss.
    """
    hits = labelled & (np.nan_to_num(errors, nan=np.inf) <= threshold)
    return hits, percent(hits, labelled)


def percent(hits: Mask, labelled: Mask) -> Array:
    """Percent of hits among what is labelled, by column; NaN where nothing is."""
    count = labelled.sum(axis=0)
    share = 100.0 * hits.sum(axis=0) / np.maximum(count, 1)
    return np.asarray(np.where(count > 0, share, np.nan))


def grouped(
    errors: Array,
    labelled: Mask,
    threshold: float,
    skeleton: Skeleton,
    groups: Mapping[str, Sequence[str]],
    left_out: Sequence[str] = (),
) -> Pck:
    """Percent by group and over all keypoints, each weighted by how often it is labelled.

    A group is the plain mean of its left and right, as the published tables have it.
    """
    hits, by_keypoint = pck(errors, labelled, threshold)
    place = {name: index for index, name in enumerate(skeleton.keypoints)}
    members = {
        group: [place[name] for name in names if name in place] for group, names in groups.items()
    }
    by_group = {group: float(mean_of_known(by_keypoint[own])) for group, own in members.items()}
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


def head_sizes(head_boxes_xyxy: Array) -> Array:
    """0.6 of the diagonal of each head box, (P, 4) to (P,), in px."""
    wh = head_boxes_xyxy[:, 2:] - head_boxes_xyxy[:, :2]
    return np.asarray(HEAD_SIZE_OF_DIAGONAL * np.linalg.norm(wh, axis=1))


def mpii_pckh(
    keypoints_xy: Array,
    truth_xy: Array,
    labelled: Mask,
    head_boxes_xyxy: Array,
    threshold: float = 0.5,
) -> Pck:
    """PCKh of MPII, (P, 16, 2) against (P, 16, 2) in the same pixels.

    Pelvis and thorax are left out of the mean, as in the published tables. The HRNet family prints
    as "Mean@0.1" what is the mean at 0.11 (an off-by-one in its list of thresholds).
    """
    sizes = head_sizes(head_boxes_xyxy)
    if len(sizes) and not (sizes > 0).all():
        raise DataError(f"person {int(np.argmin(sizes > 0))} has an empty head box: fix the file")
    errors = np.linalg.norm(keypoints_xy - truth_xy, axis=2) / sizes[:, None]
    return grouped(errors, labelled, threshold, MPII16, MPII_GROUPS, NOT_COUNTED_IN_MPII)


def torso_sizes(truth_xy: Array, labelled: Mask) -> Array:
    """Left shoulder to right hip, (P, 17, 2) to (P,), in px.

    Where one of the two is not labelled the other diagonal is taken; NaN where neither is whole.
    """
    place = {name: index for index, name in enumerate(COCO17.keypoints)}
    sizes = np.full(len(truth_xy), np.nan)
    for shoulder, hip in (("right_shoulder", "left_hip"), ("left_shoulder", "right_hip")):
        pair = [place[shoulder], place[hip]]
        whole = labelled[:, pair].all(axis=1)
        length = np.linalg.norm(truth_xy[:, pair[0]] - truth_xy[:, pair[1]], axis=1)
        sizes = np.where(whole & (length > 0), length, sizes)
    return sizes


def lsp_pck(keypoints_xy: Array, truth_xy: Array, labelled: Mask, threshold: float = 0.2) -> Pck:
    """PCK of the torso, (P, 17, 2) in COCO order; people without a whole diagonal are left out."""
    sizes = torso_sizes(truth_xy, labelled)
    known = np.isfinite(sizes)
    if not known.any():
        raise DataError("nobody has a shoulder and the opposite hip labelled: no torso to measure")
    errors = np.linalg.norm(keypoints_xy - truth_xy, axis=2)[known] / sizes[known, None]
    body = labelled[known] & np.array([not _is_face(name) for name in COCO17.keypoints])
    scored = grouped(errors, body, threshold, COCO17, LSP_GROUPS)
    return replace(scored, people=np.flatnonzero(known))


def torso_share(found_xy: Array, truth_xy: Array, labelled: Mask, threshold: float = 0.2) -> float:
    """Percent of all labelled keypoints within the threshold, in torsos; NaN without a torso."""
    sizes = torso_sizes(truth_xy, labelled)
    near = np.linalg.norm(found_xy - truth_xy, axis=2) <= threshold * sizes[:, None]
    counted = labelled & np.isfinite(sizes)[:, None]
    return 100.0 * float((near & counted).sum()) / counted.sum() if counted.any() else float("nan")


def _is_face(name: str) -> bool:
    return name.rsplit("_", maxsplit=1)[-1] in {"nose", "eye", "ear"}
