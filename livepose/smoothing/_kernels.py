"""Numba kernels of smoothing: all people of a frame in one call.

``tracks`` (N,) of ``TRACK`` say whose ``states`` (N, K, ...) are whose, ``settings`` (1,) is that
of ``SmoothingSettings``. ``people`` are track ids (P,), boxes (P, 4), keypoints (P, K, 2), scores
(P, K), covariances (P, K, 2, 2) and states (P, K); ``times_s`` are now, and how far ahead of it
keypoints are wanted.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes._kernels import around
from livepose.compiled import njit
from livepose.poses.states import KeypointState
from livepose.smoothing._imm_kernels import doubt_of, imm_filter, propagate_keypoint
from livepose.smoothing._one_euro_kernels import low_pass_share, one_euro

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Masks = NDArray[np.bool_]
Tracks = Any
Settings = Any
"""Structured arrays, whose columns only numba knows by name."""
People = tuple[Indices, Floats, Floats, Floats, Floats, NDArray[np.uint8]]

TRACK = np.dtype([("track_id", np.int64), ("seen_s", np.float64), ("scale_px", np.float64)])
"""Whose state it is (0: nobody's), when they were last seen, and their body scale."""
PREDICTED, MISSING = int(KeypointState.PREDICTED), int(KeypointState.MISSING)
PROPAGATED = int(KeypointState.PROPAGATED)


@njit(cache=True, nogil=True)
def smooth(
    people: People,
    tracks: Tracks,
    states: Floats,
    times_s: tuple[float, float],
    settings: Settings,
    by_one_euro: bool,
) -> bool:
    """Filters people in place; False, and nothing is done, if there are too few tracks.

    Whoever is not followed passes untouched. Where nothing was measured the state says so, and the
    covariance is unknown.
    """
    track_ids, boxes_xyxy, xy, scores, covariance_px2, keypoint_states = people
    chosen, scratch = settings[0], np.full((7, 7), np.nan)
    slots = assign_slots(tracks, states, track_ids, times_s[0], chosen.gap_s)
    if -2 in slots:
        return False
    for p in range(len(slots)):
        if slots[p] < 0:
            continue
        track = tracks[slots[p]]
        learn_scale(track, boxes_xyxy[p], xy[p], times_s[0], chosen.scale_cutoff_hz)
        for k in range(scores.shape[1]):
            state, spread = states[slots[p], k], covariance_px2[p, k]
            found = xy[p, k, 0], xy[p, k, 1], scores[p, k], (spread[0, 0] + spread[1, 1]) / 2
            if by_one_euro:
                x, y, score, seen = one_euro(state, found, times_s[0], track.scale_px, chosen)
            else:
                x, y, score, seen = imm_filter(
                    state, found, times_s, track.scale_px, chosen, scratch
                )
            xy[p, k, 0], xy[p, k, 1], scores[p, k] = x, y, score
            if not seen:
                there = math.isfinite(x) and math.isfinite(y)
                keypoint_states[p, k] = PREDICTED if there else MISSING
                covariance_px2[p, k] = np.nan
    return True


@njit(cache=True, nogil=True)
def assign_slots(
    tracks: Tracks, states: Floats, track_ids: Indices, time_s: float, gap_s: float
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
def slot_of(tracks: Tracks, track_id: int) -> int:
    """The first track of that track, or -1."""
    for n in range(len(tracks)):
        if tracks[n].track_id == track_id:
            return n
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def learn_scale(track: Any, box_xyxy: Floats, xy: Floats, time_s: float, cutoff_hz: float) -> None:
    """Body scale, low-passed, of a box (4,), or of what keypoints (K, 2) span without one."""
    now = _root_of_area(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])
    if not now > 0.0:
        left, top, right, bottom = around(xy, xy)
        now = _root_of_area(right - left, bottom - top)
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


# -- between looks -------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def doubts(
    track_ids: Indices, tracks: Tracks, states: Floats, time_s: float, settings: Settings
) -> Floats:
    """How much less a prediction of each person (P,) is worth than a look; see ``doubt_of``.

    Infinite for whoever is not known.
    """
    found = np.full(len(track_ids), np.inf)
    for p in range(len(track_ids)):
        slot = slot_of(tracks, track_ids[p])
        if slot >= 0 and track_ids[p] > 0:
            track = tracks[slot]
            found[p] = doubt_of(states[slot], track.seen_s, time_s, track.scale_px, settings[0])
    return found


@njit(cache=True, nogil=True)
def propagate(
    people: People,
    overdue: Masks,
    tracks: Tracks,
    states: Floats,
    times_s: tuple[float, float],
    settings: Settings,
) -> Masks:
    """Fills in people who were not looked at; which of them (P,) are known.

    The keypoints of those for whom a look is ``overdue`` (P,) are predicted.
    """
    track_ids, _, xy, scores, covariance_px2, keypoint_states = people
    known = np.zeros(len(track_ids), dtype=np.bool_)
    for p in range(len(track_ids)):
        slot = slot_of(tracks, track_ids[p])
        known[p] = slot >= 0 and track_ids[p] > 0
        if not known[p]:
            continue
        track = tracks[slot]
        for k in range(scores.shape[1]):
            x, y, scores[p, k], variance = propagate_keypoint(
                states[slot, k], track.seen_s, times_s, track.scale_px, settings[0]
            )
            xy[p, k, 0], xy[p, k, 1] = x, y
            if overdue[p]:
                variance = np.nan
            covariance_px2[p, k, 0, 1] = covariance_px2[p, k, 1, 0] = 0.0 * variance
            covariance_px2[p, k, 0, 0] = covariance_px2[p, k, 1, 1] = variance
            if math.isfinite(x):
                keypoint_states[p, k] = PROPAGATED if math.isfinite(variance) else PREDICTED
    return known
