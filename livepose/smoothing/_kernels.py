"""Numba kernels of smoothing: tracks, scales and marks around the filters, and all of it at once.

``tracks`` (N,) say whose ``states`` (N, K, ...) are whose; ``slots`` (P,) which track each person
of a frame has, below 0 for those who pass untouched.
"""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.poses.states import KeypointState
from livepose.smoothing._imm_kernels import ImmConstants, doubt_of, imm_filter, propagate
from livepose.smoothing._one_euro_kernels import OneEuroConstants, low_pass_share, one_euro

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Masks = NDArray[np.bool_]

TRACK = np.dtype([("track_id", np.int64), ("seen_s", np.float64), ("scale_px", np.float64)])
"""Whose state it is (0: nobody's), when they were last seen, and their body scale."""
PREDICTED, MISSING = int(KeypointState.PREDICTED), int(KeypointState.MISSING)
PROPAGATED = int(KeypointState.PROPAGATED)


@njit(cache=True, nogil=True)
def assign_slots(
    tracks: NDArray[np.void], states: Floats, track_ids: Indices, time_s: float, gap_s: float
) -> Indices:
    """Slot of each track (P,), fresh for new ones, -1 for who is not followed; -2: none is free.

    Who was not seen for ``gap_s``, or was last seen in the future, has left theirs before.
    """
    for n in range(len(tracks)):
        if not 0.0 <= time_s - tracks[n].seen_s <= gap_s:
            tracks[n].track_id = 0
    slots = np.full(len(track_ids), -1)
    for p in range(len(track_ids)):
        if track_ids[p] <= 0:
            continue
        slots[p] = slot_of(tracks, track_ids[p])
        if slots[p] >= 0:
            continue
        slots[p] = slot_of(tracks, 0)
        if slots[p] < 0:
            slots[p] = -2
            return slots
        track = tracks[slots[p]]
        track.track_id, track.seen_s, track.scale_px = track_ids[p], np.nan, np.nan
        states[slots[p]] = np.nan
    return slots


@njit(cache=True, nogil=True)
def slot_of(tracks: NDArray[np.void], track_id: int) -> int:
    """The first track of that track, or -1."""
    for n in range(len(tracks)):
        if tracks[n].track_id == track_id:
            return n
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def learn_scales(
    boxes_xyxy: Floats,
    xy: Floats,
    tracks: NDArray[np.void],
    slots: Indices,
    time_s: float,
    cutoff_hz: float,
) -> None:
    """Body scales, low-passed, of boxes (P, 4), or of what keypoints (P, K, 2) span without one."""
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        track = tracks[slots[p]]
        left, top, right, bottom = boxes_xyxy[p]
        now = _root_of_area(right - left, bottom - top)
        if not now > 0.0:
            now = _span_px(xy[p])
        old = track.scale_px
        if not now > 0.0:
            now = 1.0 if math.isnan(old) else old
        share = low_pass_share(cutoff_hz, time_s - track.seen_s)
        track.scale_px = now if math.isnan(old) else old + share * (now - old)
        track.seen_s = time_s


@njit(cache=True, nogil=True)
def _root_of_area(width_px: float, height_px: float) -> float:
    """Side of the square of that area; 0 where a side is empty or NaN."""
    return math.sqrt(width_px * height_px) if width_px > 0.0 and height_px > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _span_px(xy: Floats) -> float:
    """The same of the box around keypoints (K, 2)."""
    left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
    for k in range(len(xy)):
        x, y = xy[k]
        if math.isfinite(x) and math.isfinite(y):
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
    return float(_root_of_area(right - left, bottom - top))


@njit(cache=True, nogil=True)
def mark_guesses(
    xy: Floats,
    slots: Indices,
    measured: Masks,
    covariance_px2: Floats,
    keypoint_states: NDArray[np.uint8],
) -> None:
    """Where nothing was ``measured`` (P, K) covariances are unknown and states are guesses."""
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        for k in range(measured.shape[1]):
            if not measured[p, k]:
                there = math.isfinite(xy[p, k, 0]) and math.isfinite(xy[p, k, 1])
                keypoint_states[p, k] = PREDICTED if there else MISSING
                covariance_px2[p, k] = np.nan


# -- all of it -----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def smooth_by_imm(
    people: tuple[Indices, Floats, Floats, Floats, Floats, NDArray[np.uint8]],
    tracks: NDArray[np.void],
    states: Floats,
    times_s: tuple[float, float, float],
    cutoff_hz: float,
    constants: ImmConstants,
) -> bool:
    """Filters people in place by three models; False, and nothing is done, if tracks are short.

    ``people`` are track ids (P,), boxes (P, 4), keypoints (P, K, 2), scores (P, K), covariances
    (P, K, 2, 2) and states (P, K). ``times_s`` are now, how far ahead, and the longest gap.
    """
    track_ids, boxes_xyxy, xy, scores, covariance_px2, keypoint_states = people
    time_s, lead_s, gap_s = times_s
    slots = assign_slots(tracks, states, track_ids, time_s, gap_s)
    if -2 in slots:
        return False
    measured = np.empty(scores.shape, dtype=np.bool_)
    learn_scales(boxes_xyxy, xy, tracks, slots, time_s, cutoff_hz)
    imm_filter(
        xy, scores, covariance_px2, tracks, slots, time_s, lead_s, states, constants, measured
    )
    mark_guesses(xy, slots, measured, covariance_px2, keypoint_states)
    return True


@njit(cache=True, nogil=True)
def doubts(
    track_ids: Indices,
    tracks: NDArray[np.void],
    states: Floats,
    time_s: float,
    constants: ImmConstants,
    found: Floats,
) -> None:
    """How much less a prediction of each person is worth than a look, into (P,); see ``doubt_of``.

    Infinite for whoever is not known.
    """
    for p in range(len(track_ids)):
        slot, found[p] = slot_of(tracks, track_ids[p]), np.inf
        if slot >= 0 and track_ids[p] > 0:
            track = tracks[slot]
            found[p] = doubt_of(states[slot], track.seen_s, time_s, track.scale_px, constants)


@njit(cache=True, nogil=True)
def propagate_by_imm(
    people: tuple[Indices, Masks, Floats, Floats, Floats, NDArray[np.uint8]],
    tracks: NDArray[np.void],
    states: Floats,
    times_s: tuple[float, float],
    constants: ImmConstants,
) -> Masks:
    """Fills in people who were not looked at; which of them (P,) are known.

    ``people`` are track ids (P,), for whom a look is overdue (P,), keypoints (P, K, 2), scores
    (P, K), covariances (P, K, 2, 2) and states (P, K). ``times_s`` are now, and how far ahead.
    """
    track_ids, overdue, xy, scores, covariance_px2, keypoint_states = people
    known = np.zeros(len(track_ids), dtype=np.bool_)
    points = np.empty((scores.shape[1], 4))
    for p in range(len(track_ids)):
        slot = slot_of(tracks, track_ids[p])
        known[p] = slot >= 0 and track_ids[p] > 0
        if not known[p]:
            continue
        track = tracks[slot]
        propagate(states[slot], track.seen_s, times_s, track.scale_px, constants, points)
        for k in range(len(points)):
            x, y, scores[p, k], variance = points[k]
            xy[p, k, 0], xy[p, k, 1] = x, y
            if overdue[p]:
                variance = np.nan
            covariance_px2[p, k, 0, 1] = covariance_px2[p, k, 1, 0] = 0.0 * variance
            covariance_px2[p, k, 0, 0] = covariance_px2[p, k, 1, 1] = variance
            if math.isfinite(x):
                keypoint_states[p, k] = PROPAGATED if math.isfinite(variance) else PREDICTED
    return known


@njit(cache=True, nogil=True)
def smooth_by_one_euro(
    people: tuple[Indices, Floats, Floats, Floats, Floats, NDArray[np.uint8]],
    tracks: NDArray[np.void],
    states: Floats,
    times_s: tuple[float, float, float],
    cutoff_hz: float,
    constants: OneEuroConstants,
) -> bool:
    """The same by the One Euro filter, which knows no time ahead."""
    track_ids, boxes_xyxy, xy, scores, covariance_px2, keypoint_states = people
    time_s, _, gap_s = times_s
    slots = assign_slots(tracks, states, track_ids, time_s, gap_s)
    if -2 in slots:
        return False
    measured = np.empty(scores.shape, dtype=np.bool_)
    learn_scales(boxes_xyxy, xy, tracks, slots, time_s, cutoff_hz)
    one_euro(xy, scores, tracks, slots, time_s, states, constants, measured)
    mark_guesses(xy, slots, measured, covariance_px2, keypoint_states)
    return True
