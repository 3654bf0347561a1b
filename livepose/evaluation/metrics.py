"""Object keypoint similarity, and what the HRNet family does with it before COCO scores a pose.

Sources: COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval, and the test protocol
of Sun et al., CVPR 2019 (HRNet): the score of a pose is the score of its box times the mean of
its keypoint scores above 0.2, and poses too alike (OKS above 0.9) are dropped.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.boxes import PERSON_CATEGORY, Boxed
from livepose.evaluation.predict import Predictions
from livepose.skeletons import Skeleton

Array = NDArray[np.float64]

KEYPOINT_SCORE_THRESHOLD = 0.2
NMS_THRESHOLD = 0.9
MOST_POSES = 20  # of one picture that COCO looks at
PADDING = 1.25
EPS = float(np.spacing(1))


def sigmas_of(skeleton: Skeleton) -> Array:
    """How precisely people label each keypoint, (K,); DataError where nobody measured it."""
    if skeleton.oks_sigmas is None:
        raise DataError(
            f"OKS needs the sigmas of the skeleton, expected those of coco17, got {skeleton.name}"
            " which has none; evaluate these weights with `livepose eval mpii`"
        )
    return np.array(skeleton.oks_sigmas)


def similarity(first_xy: Array, second_xy: Array, areas: Array, sigmas: Array) -> Array:
    """Of each keypoint of poses (..., K, 2) of ``areas`` (...,) in px²: 0 to 1, 0 for a missing."""
    square_px2 = np.sum((first_xy - second_xy) ** 2, axis=-1)
    exponents = square_px2 / (2 * sigmas) ** 2 / (areas[..., None] + EPS) / 2
    return np.asarray(np.nan_to_num(np.exp(-exponents), nan=0.0))


def oks_matrix(poses_xy: Array, areas: Array, sigmas: Array) -> Array:
    """Similarity of every pose with every pose, (P, K, 2) to (P, P); areas are those of pairs."""
    mean_areas = (areas[:, None] + areas) / 2
    return np.asarray(similarity(poses_xy[:, None], poses_xy, mean_areas, sigmas).mean(axis=2))


def labelled_oks(
    found_xy: Array, truth_xy: Array, labelled: NDArray[np.bool_], areas: Array, sigmas: Array
) -> Array:
    """Similarity of each person with the pose found for it, (P,), over what is labelled."""
    similar = np.where(labelled, similarity(found_xy, truth_xy, areas, sigmas), 0.0)
    return np.asarray(similar.sum(axis=1) / labelled.sum(axis=1))


def oks_nms(
    poses_xy: Array, scores: Array, areas: Array, sigmas: Array, threshold: float = NMS_THRESHOLD
) -> list[int]:
    """Indices of the poses that stay, best first: none is more alike than ``threshold``."""
    similar = oks_matrix(poses_xy, areas, sigmas)
    left = np.argsort(scores)[::-1]  # of equal ones the last comes first, as published
    keep: list[int] = []
    while left.size:
        best = int(left[0])
        keep.append(best)
        left = left[1:][similar[best, left[1:]] <= threshold]
    return keep


def rescore(box_scores: Array, keypoint_scores: Array) -> Array:
    """Box score (P,) times the mean of the keypoint scores (P, K) above the threshold, else 0."""
    seen = keypoint_scores > KEYPOINT_SCORE_THRESHOLD
    total = np.where(seen, keypoint_scores, 0.0).sum(axis=1)
    return np.asarray(box_scores * total / np.maximum(seen.sum(axis=1), 1))


def enlarged_area(boxes_xyxy: Array, input_hw: tuple[int, int]) -> Array:
    """Area (P,) in px² of what the network sees: the box brought to its aspect, then padded."""
    height, width = input_hw
    wh = np.asarray(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])
    across = np.maximum(wh[:, 0], wh[:, 1] * width / height) * PADDING
    return np.asarray(across * across * height / width)


def coco_results(
    sample: Sequence[Boxed], found: Predictions, input_hw: tuple[int, int], sigmas: Array
) -> list[dict[str, Any]]:
    """COCO's submission form: rescored poses of every picture, without near doubles, best first."""
    results: list[dict[str, Any]] = []
    start = 0
    for boxed in sample:
        people = slice(start, start := start + len(boxed))
        if len(boxed):
            own = Predictions(found.keypoints_xy[people], found.keypoint_scores[people])
            results += picture_results(boxed, own, input_hw, sigmas)
    return results


def picture_results(
    boxed: Boxed, found: Predictions, input_hw: tuple[int, int], sigmas: Array
) -> list[dict[str, Any]]:
    """The same for one picture."""
    scores = rescore(boxed.scores, found.keypoint_scores)
    areas = enlarged_area(boxed.boxes_xyxy, input_hw)
    keep = oks_nms(found.keypoints_xy, scores, areas, sigmas)[:MOST_POSES]
    return [pose_result(boxed.picture.id, found, index, scores[index]) for index in keep]


def pose_result(picture_id: int, found: Predictions, index: int, score: float) -> dict[str, Any]:
    """One pose in COCO's submission form; a keypoint that is missing is 0, 0, 0."""
    xy = found.keypoints_xy[index]
    rows = np.concatenate([xy, found.keypoint_scores[index][:, None]], axis=1)
    rows[~np.isfinite(xy).all(axis=1)] = 0.0
    return {
        "image_id": picture_id,
        "category_id": PERSON_CATEGORY,
        "keypoints": [round(float(one), 4) for one in rows.ravel()],
        "score": round(float(score), 6),
    }


def box_results(picture_id: int, boxes_xyxy: Array, scores: Array) -> list[dict[str, Any]]:
    """The boxes of one picture in COCO's submission form."""
    return [
        {
            "image_id": picture_id,
            "category_id": PERSON_CATEGORY,
            "bbox": [left, top, right - left, bottom - top],
            "score": float(score),
        }
        for (left, top, right, bottom), score in zip(boxes_xyxy.tolist(), scores, strict=True)
    ]
