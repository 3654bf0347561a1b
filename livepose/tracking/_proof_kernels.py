"""Numba kernels that say who is somebody: a coat, a post or a sign is shown to nobody for long.

``person`` is a row of ``tracks.Tracks``, ``chosen`` the row of ``TrackerSettings``.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.tracking import _box_kernels as box
from livepose.tracking import _pose_kernels as pose

Floats = NDArray[np.float64]

PROOF_KEYPOINTS = 5
"""Of somebody at the picture's edge there may be no more."""
BEST_S = 1.0
"""Over so long scores are averaged before they prove somebody who does not move."""
DOUBTS = 3
"""So many pictures does one that was sure count for, itself included."""
ANCHOR_S = 1.0
"""Whether somebody moves is asked over so long."""


@njit(cache=True, nogil=True, error_model="numpy")
def best_score(scores: Floats) -> float:
    """Mean of the best ``PROOF_KEYPOINTS`` of the scores (K,) of a pose."""
    return float(np.sort(scores)[-PROOF_KEYPOINTS:].mean())


@njit(cache=True, nogil=True, error_model="numpy")
def prove(person: Any, best: float, time_s: float, chosen: Any) -> bool:
    """Whether somebody in whom keypoints score ``best`` is somebody, by what was seen of late.

    A thing that resembles a person stands still, and is sure for a moment at most; nobody has
    had time to move in the first pictures.
    """
    usual = best if math.isnan(person.best) else person.best
    person.best = usual - math.expm1(-(time_s - person.keypoints_s) / BEST_S) * (best - usual)
    moving = moves_about(person, time_s, chosen)
    known = is_proven(person, time_s, chosen)
    if not known:
        person.sure_since_s = time_s
    found = person.scores if person.detected_s == time_s else 0.0
    usually = person.best >= chosen.usual_score and best >= chosen.moving_score
    sure = best >= chosen.proof_score or usually
    if sure or chosen.whole_frame > 0.0:
        person.strong_s = time_s
    lasting = known and person.proven_s - person.sure_since_s >= chosen.proof_s
    lasting = lasting and time_s - person.strong_s <= chosen.lasting_s
    weak = best >= chosen.moving_score or found >= chosen.moving_detection
    person.doubts += 1
    if person.strong_s == time_s or (weak and (moving or lasting)):
        person.proven_s, person.doubts = time_s, 0
    new = math.isnan(person.proven_s) and person.doubts <= DOUBTS
    return is_proven(person, time_s, chosen) or (new and best >= chosen.moving_score)


@njit(cache=True, nogil=True, error_model="numpy")
def is_proven(person: Any, time_s: float, chosen: Any) -> bool:
    """Whether the last proof still counts: a look or two after one, longer after many."""
    age_s, span_s = time_s - person.proven_s, person.proven_s - person.sure_since_s
    return bool(age_s <= chosen.proof_s and (age_s <= span_s or person.doubts < DOUBTS))


@njit(cache=True, nogil=True, error_model="numpy")
def moves_about(person: Any, time_s: float, chosen: Any) -> bool:
    """Whether a box has gone somewhere in the last second."""
    if not time_s - person.anchor_s <= ANCHOR_S:
        person.anchor_xy[0], person.anchor_xy[1] = person.xywh[0], person.xywh[1]
        person.anchor_s = time_s
    gone_px = pose.apart(person.xywh[:2], person.anchor_xy)
    if gone_px > chosen.moved * box.scale_of(person.xywh):
        person.moved_s = time_s
    return bool(time_s - person.moved_s <= ANCHOR_S)
