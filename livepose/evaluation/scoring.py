"""From keypoints to COCO's results file and its score, by the protocol of the HRNet family."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.evaluation.metrics import enlarged_area, oks_nms, rescore
from livepose.evaluation.people import PERSON_CATEGORY, Boxed
from livepose.evaluation.predict import Predictions

Array = NDArray[np.float64]

MOST_POSES = 20
"""COCO looks at no more than this in one picture."""


def coco_results(
    sample: Sequence[Boxed], found: Predictions, input_hw: tuple[int, int], sigmas: Array
) -> list[dict[str, Any]]:
    """COCO's submission form: rescored poses of every picture, without near doubles, best first."""
    results: list[dict[str, Any]] = []
    start = 0
    for boxed in sample:
        people = slice(start, start := start + len(boxed))
        if len(boxed):
            area = enlarged_area(boxed.boxes_xyxy, input_hw)
            own = Predictions(found.keypoints_xy[people], found.keypoint_scores[people])
            results.extend(picture_results(boxed, own, area, sigmas))
    return results


def picture_results(
    boxed: Boxed, found: Predictions, areas: Array, sigmas: Array
) -> list[dict[str, Any]]:
    """The same for one picture."""
    scores = rescore(boxed.scores, found.keypoint_scores)
    keep = oks_nms(found.keypoints_xy, scores, areas, sigmas)[:MOST_POSES]
    return [
        {
            "image_id": boxed.picture.id,
            "category_id": PERSON_CATEGORY,
            "keypoints": flat(found.keypoints_xy[index], found.keypoint_scores[index]),
            "score": round(float(scores[index]), 6),
        }
        for index in keep
    ]


def flat(keypoints_xy: Array, keypoint_scores: Array) -> list[float]:
    """x, y, score of each keypoint in a row, as COCO wants it: 0, 0, 0 for one that is missing."""
    there = np.all(np.isfinite(keypoints_xy), axis=1)
    rows = np.concatenate([keypoints_xy, keypoint_scores[:, None]], axis=1)
    return [round(float(one), 4) for one in np.where(there[:, None], rows, 0.0).ravel()]
