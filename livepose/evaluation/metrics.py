"""How alike poses are (OKS), COCO's results form, and intervals.

Sources: COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval, and the test protocol
of Sun et al., CVPR 2019 (HRNet): the score of a pose is the score of its box times the mean of
its keypoint scores above 0.2, and poses too alike (OKS above 0.9) are dropped.
Intervals: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Images, not
people, are drawn again: people of one image are not independent.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.evaluation.predict import Boxed, Predictions
from livepose.skeletons import Skeleton

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

KEYPOINT_SCORE_THRESHOLD = 0.2
NMS_THRESHOLD = 0.9
MOST_POSES = 20  # of one image that COCO looks at
PADDING = 1.25
EPS = float(np.spacing(1))
DRAWS, SEED = 1000, 20190614


def sigmas_of(skeleton: Skeleton) -> Array:
    """How precisely people label each keypoint, (K,); DataError where nobody measured it."""
    if skeleton.oks_sigmas is None:
        raise DataError(f"OKS needs a skeleton with sigmas, got {skeleton.name} which has none")
    return np.array(skeleton.oks_sigmas)


def oks_matrix(poses_xy: Array, areas: Array, sigmas: Array) -> Array:
    """Similarity of every pose with every pose, (P, K, 2) to (P, P), 0 to 1; ``areas`` (P,) in px².

    The area of a pair is the mean of both; a keypoint that is missing is like nothing.
    """
    square_px2 = np.sum((poses_xy[:, None] - poses_xy) ** 2, axis=-1)
    pair_areas = (areas[:, None] + areas)[..., None] / 2
    exponents = square_px2 / (2 * sigmas) ** 2 / (pair_areas + EPS) / 2
    return np.asarray(np.nan_to_num(np.exp(-exponents), nan=0.0).mean(axis=2))


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
    """COCO's submission form: rescored poses of every image, without near doubles, best first."""
    results, start = [], 0
    for boxed in sample:
        people = slice(start, start := start + len(boxed))
        poses_xy, keypoint_scores = found.keypoints_xy[people], found.keypoint_scores[people]
        scores = rescore(boxed.scores, keypoint_scores)
        areas = enlarged_area(boxed.boxes_xyxy, input_hw)
        for one in oks_nms(poses_xy, scores, areas, sigmas)[:MOST_POSES]:
            pose = poses_xy[one], keypoint_scores[one], scores[one]
            results.append(pose_result(boxed.image.id, *pose))
    return results


def pose_result(
    image_id: int, keypoints_xy: Array, keypoint_scores: Array, score: float
) -> dict[str, Any]:
    """One pose (K, 2) in COCO's submission form; a keypoint that is missing is 0, 0, 0."""
    rows = np.concatenate([keypoints_xy, keypoint_scores[:, None]], axis=1)
    rows[~np.isfinite(keypoints_xy).all(axis=1)] = 0.0
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [round(float(one), 4) for one in rows.ravel()],
        "score": round(float(score), 6),
    }


def box_results(image_id: int, boxes_xyxy: Array, scores: Array) -> list[dict[str, Any]]:
    """The boxes of one image in COCO's submission form."""
    xywh = np.hstack([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]]).tolist()
    return [
        {"image_id": image_id, "category_id": 1, "bbox": box, "score": float(score)}
        for box, score in zip(xywh, scores, strict=True)
    ]


class Interval(NamedTuple):
    """From ``low`` to ``high`` with 95 % confidence; NaN where it could not be drawn."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:.1f}, {self.high:.1f}]"


@lru_cache(maxsize=4)
def draws(images: int, count: int = DRAWS) -> Counts:
    """How often each image is drawn in each resample, (count, images); the same every time."""
    even = np.full(images, 1.0 / max(images, 1))
    drawn = np.random.default_rng(SEED).multinomial(images, even, size=count)
    drawn.setflags(write=False)
    return np.asarray(drawn, dtype=np.int64)


def percentile_interval(samples: Array) -> Interval:
    """The middle 95 % of the samples, NaN ignored; of paired samples give the differences."""
    known = samples[np.isfinite(samples)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Interval(float(low), float(high))
