"""Numba kernels of smoothing: all people of a frame in one call.

``slots`` (P,) say which of the ``bodies`` (S, 2) and ``states`` (S, K, ...) is whose, -1 for who is
not followed. Of a body is kept when it was last seen, NaN at first, and its scale. ``people`` are
boxes (P, 4), keypoints (P, K, 2), scores (P, K), covariances (P, K, 2, 2) and states (P, K);
``times_s`` are now, and how far ahead of it keypoints are wanted.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import around
from livepose.compiled import kernel
from livepose.poses.states import KeypointState
from livepose.smoothing.imm import doubt_of, imm_filter, propagate_keypoint

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
Masks = NDArray[np.bool_]
People = tuple[Floats, Floats, Floats, Floats, NDArray[np.uint8]]

SEEN_S, SCALE_PX = 0, 1
"""Columns of ``bodies``."""
SCALE_CUTOFF_HZ = 0.5  # of the body scale, so that a trembling box trembles no filter
PREDICTED, MISSING = int(KeypointState.PREDICTED), int(KeypointState.MISSING)
PROPAGATED = int(KeypointState.PROPAGATED)


@kernel
def smooth(
    people: People,
    slots: Slots,
    bodies: Floats,
    states: Floats,
    times_s: tuple[float, float],
    noise_share: float,
) -> None:
    """Filters people in place; whoever is not followed passes untouched.

    Where nothing was measured the state says so, and the covariance is unknown.
    """
    boxes_xyxy, xy, scores, covariance_px2, keypoint_states = people
    scratch = np.empty((5, 7))
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        body = bodies[slots[p]]
        learn_scale(body, boxes_xyxy[p], xy[p], times_s[0])
        for k in range(scores.shape[1]):
            state, spread = states[slots[p], k], covariance_px2[p, k]
            found = xy[p, k, 0], xy[p, k, 1], scores[p, k], (spread[0, 0] + spread[1, 1]) / 2
            x, y, score, seen = imm_filter(
                state, found, times_s, body[SCALE_PX], noise_share, scratch
            )
            xy[p, k, 0], xy[p, k, 1], scores[p, k] = x, y, score
            if not seen:
                keypoint_states[p, k] = PREDICTED if math.isfinite(x + y) else MISSING
                covariance_px2[p, k] = np.nan


@kernel
def learn_scale(body: Floats, box_xyxy: Floats, xy: Floats, time_s: float) -> None:
    """Body scale, low-passed, of a box (4,), or of what keypoints (K, 2) span without one."""
    now = _root_of_area(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])
    if not now > 0.0:
        left, top, right, bottom = around(xy, xy)
        now = _root_of_area(right - left, bottom - top)
    old = body[SCALE_PX]
    if not now > 0.0:
        now = 1.0 if math.isnan(old) else old
    turn = 2.0 * math.pi * SCALE_CUTOFF_HZ * (time_s - body[SEEN_S])
    body[SCALE_PX] = now if math.isnan(old) else old + turn / (turn + 1.0) * (now - old)
    body[SEEN_S] = time_s


@kernel
def _root_of_area(width_px: float, height_px: float) -> float:
    """Side of the square of that area; 0 where a side is empty or NaN."""
    return math.sqrt(width_px * height_px) if width_px > 0.0 and height_px > 0.0 else 0.0


@kernel
def doubts(slots: Slots, bodies: Floats, states: Floats, time_s: float) -> Floats:
    """How much less a prediction of each person (P,) is worth than a look; infinite if unknown."""
    found = np.full(len(slots), np.inf)
    for p in range(len(slots)):
        if slots[p] >= 0:
            body = bodies[slots[p]]
            found[p] = doubt_of(states[slots[p]], body[SEEN_S], time_s, body[SCALE_PX])
    return found


@kernel
def propagate(
    people: People,
    slots: Slots,
    bodies: Floats,
    states: Floats,
    times_s: tuple[float, float],
    noise_share: float,
    overdue: Masks,
) -> None:
    """Fills in people who were not looked at; if a look is ``overdue`` (P,) they are predicted."""
    _, xy, scores, covariance_px2, keypoint_states = people
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        body = bodies[slots[p]]
        for k in range(scores.shape[1]):
            x, y, scores[p, k], variance = propagate_keypoint(
                states[slots[p], k], body[SEEN_S], times_s, body[SCALE_PX], noise_share
            )
            xy[p, k, 0], xy[p, k, 1] = x, y
            if overdue[p]:
                variance = np.nan
            covariance_px2[p, k, 0, 1] = covariance_px2[p, k, 1, 0] = 0.0 * variance
            covariance_px2[p, k, 0, 0] = covariance_px2[p, k, 1, 1] = variance
            if math.isfinite(x):
                keypoint_states[p, k] = PROPAGATED if math.isfinite(variance) else PREDICTED
