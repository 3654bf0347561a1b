"""Which label counts: the human's where there is one, the teacher's where there is none.

A teacher is a trained network that labelled the same people; a set that carries its answers has
the fields ``teacher`` (x, y, score of every keypoint), ``teacher_spread`` (how far its answers at
several scales lie apart) and ``teacher_disagreement`` (how far a second network's answer lies),
both over the root of the box area. The output is one position and one weight a keypoint.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.evaluation.dataset import Person, numbers, placed
from livepose.evaluation.problems import Problems
from livepose.skeletons import Skeleton

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_BOX_PX = 12.0
MIN_KEYPOINTS = 3
OUTSIDE_TOLERANCE_PX = 1.0
# How far the teacher is trusted; distances are over the root of the box area.
LOWEST_SCORE = 0.3  # below it the teacher's point is not used
HIGHEST_WEIGHT = 0.9  # a teacher's point never counts as much as a human's
BESIDE_HUMAN = 0.7  # factor where a human looked and left the point out
CLOSE = 0.08  # spread and disagreement up to here are agreement
UNCONFIRMED, CONTRADICTED = 0.7, 0.3  # factors where a second network says nothing, or otherwise
# A teacher this sure, this far from a noisy human label, lowers its weight to the last.
DOUBT_SCORE, DOUBT_DISTANCE, DOUBT_WEIGHT = 0.6, 0.2, 0.3


def labels_of(
    person: Person, size_wh: tuple[int, int], skeleton: Skeleton, noisy: bool, problems: Problems
) -> tuple[Floats, Floats] | None:
    """Positions (K, 2) and weights (K,); None where there are too few to learn from.

    ``noisy`` says that human labels of this set may be wrong.
    """
    if person.wh_px.min() < MIN_BOX_PX:
        return None
    try:
        teacher, spread, disagreement = _teacher(person, len(skeleton.keypoints))
    except ValueError as error:
        problems.add("broken annotation", person.name, str(error))
        return None
    teacher_only = person.entry.get("label") == "teacher"
    weights = teacher_weights(teacher[:, 2], spread, disagreement, teacher_only)
    labelled = person.labelled & ~_outside(person, size_wh, skeleton, problems)
    size_px = float(np.sqrt(person.wh_px.prod()))
    xy, weights = merge(person.keypoints[:, :2], labelled, teacher, weights, size_px, noisy)
    return (xy, weights) if (weights > 0).sum() >= MIN_KEYPOINTS else None


def teacher_weights(
    scores: Floats, spread: Floats, disagreement: Floats, teacher_only: bool
) -> Floats:
    """Weight of each teacher point, (K,): 0 where it is not used.

    ``disagreement`` is NaN where the second network has no answer.
    """
    weights = np.where(scores > LOWEST_SCORE, np.minimum(scores, HIGHEST_WEIGHT), 0.0)
    if not teacher_only:
        return np.asarray(weights * BESIDE_HUMAN)
    agreed = np.where(disagreement < CLOSE, 1.0, CONTRADICTED)
    agreed = np.where(np.isnan(disagreement), UNCONFIRMED, agreed)
    return np.asarray(weights * (spread < CLOSE) * agreed)


def merge(
    human_xy: Floats,
    labelled: Flags,
    teacher: Floats,
    teacher_weight: Floats,
    box_size_px: float,
    noisy: bool,
) -> tuple[Floats, Floats]:
    """Positions (K, 2) and weights (K,) out of human labels and a teacher's answer (K, 3)."""
    weights = labelled.astype(np.float64)
    if noisy:
        distance = np.linalg.norm(teacher[:, :2] - human_xy, axis=1) / box_size_px
        doubtful = (teacher[:, 2] > DOUBT_SCORE) & (distance > DOUBT_DISTANCE)
        weights = np.where(labelled & doubtful, DOUBT_WEIGHT, weights)
    fill = ~labelled & (teacher_weight > 0)
    xy = np.where(fill[:, None], teacher[:, :2], human_xy)
    return xy, np.where(fill, teacher_weight, weights)


def _teacher(person: Person, count: int) -> tuple[Floats, Floats, Floats]:
    """Its answer (K, 3), spread (K,) and disagreement (K,); zeros where there is none."""
    columns, entry = person.columns, person.entry
    answer, spread, against = np.zeros((count, 3)), np.zeros(count), np.zeros(count)
    if entry.get("teacher") is not None:
        found = numbers(entry, "teacher", 3 * len(columns)).reshape(-1, 3)
        answer = placed(found, columns, count)
    if entry.get("teacher_spread") is not None:
        spread = placed(_with_gaps(entry, "teacher_spread", len(columns), 0), columns, count)
    if entry.get("teacher_disagreement") is not None:
        # A set that never asked a second network is not contradicted by its silence.
        found = _with_gaps(entry, "teacher_disagreement", len(columns), -1)
        against = placed(np.where(found < 0, np.nan, found), columns, count, np.nan)
    return answer, spread, against


def _with_gaps(entry: Any, field: str, count: int, gap: float) -> Floats:
    found = entry[field]
    filled = [gap if value is None else value for value in found] if isinstance(found, list) else 0
    return numbers({field: filled}, field, count)


def _outside(
    person: Person, size_wh: tuple[int, int], skeleton: Skeleton, problems: Problems
) -> Flags:
    """Labelled keypoints that do not lie in the picture, (K,)."""
    low, high = -0.5 - OUTSIDE_TOLERANCE_PX, np.array(size_wh) - 0.5 + OUTSIDE_TOLERANCE_PX
    xy = person.keypoints[:, :2]
    outside = person.labelled & ((xy < low) | (xy > high)).any(axis=1)
    for index in np.flatnonzero(outside):
        x, y = xy[index]
        detail = f"{skeleton.keypoints[index]} at ({x:g}, {y:g}) of {size_wh}"
        problems.add("keypoint outside the picture", person.name, detail)
    return np.asarray(outside)
