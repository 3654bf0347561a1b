"""Non-maximum suppression: of boxes that overlap much, the surest stays.

The rules are those of ultralytics (a candidate belongs to its likeliest class alone; people are
looked for among those), the suppression is OpenCV's, so that a start loads no torch.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def suppress(
    predictions: NDArray[np.float32],
    person: int,
    classes: int,
    score_threshold: float,
    overlap_threshold: float,
    most: int,
) -> Floats:
    """Rows x1, y1, x2, y2, score of the people in one picture, the surest first.

    Parameters
    ----------
    predictions : float32 (4 + classes, N) or (N, 6)
        Centre, size and scores of candidates; or corners, score and class of networks that need
        no suppression.
    person, classes : int
        Index of the class that is looked for, and how many there are.
    score_threshold, overlap_threshold : float
        Lowest score of a box, and IoU from which on two are one.
    most : int
        At most so many rows.
    """
    if predictions.shape[0] != 4 + classes and predictions.shape[1] == 6:
        rows = predictions[:, :5].astype(np.float64)
        return _surest(rows[(predictions[:, 5] == person) & (rows[:, 4] > score_threshold)], most)
    scores = predictions[4:]
    wanted = scores[person] > score_threshold
    if classes > 1:
        wanted &= scores.argmax(axis=0) == person
    xywh, scores = predictions[:4, wanted].T.astype(np.float64), scores[person, wanted]
    xywh[:, :2] -= xywh[:, 2:] / 2
    stay = cv2.dnn.NMSBoxes(xywh.tolist(), scores.tolist(), 0.0, overlap_threshold)
    kept = np.asarray(stay, dtype=np.int64)
    xywh, scores = xywh[kept], scores[kept].astype(np.float64)
    return _surest(np.column_stack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:], scores]), most)


def _surest(rows: Floats, most: int) -> Floats:
    return rows[np.argsort(-rows[:, 4], kind="stable")[:most]]
