"""Which label counts: the human's where there is one, the teacher's where there is none.

A teacher is a trained network that labelled the same people; a set that carries its answers has
the fields ``teacher`` (x, y, score of every keypoint), ``teacher_spread`` (how far its answers at
several scales lie apart) and ``teacher_disagreement`` (how far a second network's answer lies),
both over the root of the box area. The output is one position and one weight a keypoint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelRules:
    """How far the teacher is trusted; distances are over the root of the box area."""

    lowest_score: float = 0.3  # below it the teacher's point is not used
    highest_weight: float = 0.9  # a teacher's point never counts as much as a human's
    beside_human: float = 0.7  # factor where a human looked and left the point out
    close: float = 0.08  # spread and disagreement up to here are agreement
    unconfirmed: float = 0.7  # factor where the second network has no answer
    contradicted: float = 0.3  # factor where the second network says otherwise
    doubt_score: float = 0.6  # a teacher this sure ...
    doubt_distance: float = 0.2  # ... this far from a noisy human label casts doubt on it
    doubt_weight: float = 0.3  # and the human label then counts this much


def teacher_weights(
    scores: Floats,
    spread: Floats,
    disagreement: Floats,
    teacher_only: bool,
    rules: LabelRules,
) -> Floats:
    """Weight of each teacher point, (K,): 0 where it is not used.

    ``disagreement`` is NaN where the second network has no answer.
    """
    weights = np.where(scores > rules.lowest_score, np.minimum(scores, rules.highest_weight), 0.0)
    if not teacher_only:
        return np.asarray(weights * rules.beside_human)
    agreed = np.where(disagreement < rules.close, 1.0, rules.contradicted)
    agreed = np.where(np.isnan(disagreement), rules.unconfirmed, agreed)
    return np.asarray(weights * (spread < rules.close) * agreed)


def merge(
    human_xy: Floats,
    labelled: NDArray[np.bool_],
    teacher_xy: Floats,
    teacher_weight: Floats,
    teacher_score: Floats,
    box_size_px: float,
    noisy: bool,
    rules: LabelRules,
) -> tuple[Floats, Floats]:
    """Positions (K, 2) and weights (K,) out of human and teacher labels.

    ``noisy`` says that human labels of this set may be wrong, so that a confident teacher far
    away lowers their weight.
    """
    weights = labelled.astype(np.float64)
    if noisy:
        distance = np.linalg.norm(teacher_xy - human_xy, axis=1) / box_size_px
        doubtful = (teacher_score > rules.doubt_score) & (distance > rules.doubt_distance)
        weights = np.where(labelled & doubtful, rules.doubt_weight, weights)
    fill = ~labelled & (teacher_weight > 0)
    xy = np.where(fill[:, None], teacher_xy, human_xy)
    return xy, np.where(fill, teacher_weight, weights)
