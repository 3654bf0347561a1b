"""The smoother: one filter state for each track, kept in arrays, filtered in one call."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from livepose.poses import KeypointState, Poses
from livepose.smoothing._kernels import FOLLOW_COLUMNS, follow, learn_scales, mark_guesses
from livepose.smoothing._one_euro_kernels import STATE_COLUMNS, one_euro
from livepose.smoothing.settings import METHODS, SmoothingSettings

GUESSES = int(KeypointState.PREDICTED), int(KeypointState.MISSING)
"""States of keypoints that were not measured."""


class Smoother:
    """Smooths the keypoints of people who are followed.

    Each keypoint of each track is followed by three Kalman filters at once, which are mixed by
    how well each one explains what is measured [1]_: one for rest, which hardly gives way, one
    for slow motion, and one for quick motion, which gives way at once. So what is still does not
    tremble, and what moves is not late. The covariance that decoding gives each keypoint is its
    measurement noise: what the network is unsure of is smoothed more. Constants are in real
    seconds and body scales (root of the box area), so that neither the frame rate nor the
    distance matters; x and y share one variance, so that the filter knows no directions.

    * A keypoint that vanishes glides on by its last speed for ``fade_s`` while its score falls to
      zero, then it is NaN with score 0. Its covariance is NaN from the start: it was not measured.
    * A measurement that nobody could have moved to is doubted: the keypoint is predicted instead,
      until the next measurement confirms it. Both are ``KeypointState.PREDICTED``.
    * A keypoint that comes back within ``jump_scales`` goes on, one that comes back elsewhere
      starts there.
    * 0.0 is a time like any other. A repeated time hands out the same positions again. After
      ``gap_s`` without the person, or when time runs backwards, that person starts anew.
    * People who are not followed (track id 0) pass untouched.

    ``one-euro`` is the One Euro filter [2]_ instead, which holds a vanished keypoint in place.

    Parameters
    ----------
    method : str
        ``still``, ``balanced``, ``fast``, ``one-euro``, or ``none``, which hands poses through.
    settings : SmoothingSettings, optional
        Constants of the filter; by default those of the method.

    Attributes
    ----------
    lead_s : float
        How far ahead of the picture's time keypoints are handed out: 0 for where they were. Not
        for ``one-euro`` and ``none``, which know no speed.

    Raises
    ------
    ValueError
        When the method is unknown.

    References
    ----------
    .. [1] H. A. P. Blom, Y. Bar-Shalom, "The interacting multiple model algorithm for systems
       with Markovian switching coefficients", IEEE Transactions on Automatic Control 33, 1988.
       https://doi.org/10.1109/9.1299
    .. [2] G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter
       for Noisy Input in Interactive Systems", CHI 2012. https://doi.org/10.1145/2207676.2208639

    Examples
    --------
    >>> from livepose.poses import Poses
    >>> len(Smoother().apply(0.0, Poses.empty()))
    0
    """

    def __init__(self, method: str = "balanced", settings: SmoothingSettings | None = None) -> None:
        if method not in METHODS:
            raise ValueError(f"smoothing: expected one of {', '.join(METHODS)}, got {method!r}")
        self.method = method
        self.settings = settings or SmoothingSettings.of(method)
        self.lead_s = 0.0
        self._one_euro = self.settings.one_euro_constants()
        self._follow = self.settings.follow_constants()
        self._columns = STATE_COLUMNS if method == "one-euro" else FOLLOW_COLUMNS
        self.reset()
        self._filter(0.0, Poses.empty(), np.empty(0, dtype=np.int64))  # compiles

    def reset(self) -> None:
        """Forgets everybody; the smoother is as new."""
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._states = np.empty((0, 1, self._columns))
        self._seen_s = np.empty(0)
        self._scales_px = np.empty(0)

    def apply(self, time_s: float, poses: Poses) -> Poses:
        """The poses of the picture at ``time_s`` (seconds), smoothed; the input stays as it is.

        Raises
        ------
        ValueError
            When the time is not finite.
        """
        if not math.isfinite(time_s):
            raise ValueError(f"time_s: expected finite seconds, got {time_s}")
        if self.method == "none":
            return poses
        self._forget(time_s)
        slots = self._slots_of(poses.track_ids.tolist(), poses.keypoint_scores.shape[1])
        return self._filter(float(time_s), poses, slots)

    def _filter(self, time_s: float, poses: Poses, slots: NDArray[np.int64]) -> Poses:
        """The poses whose states are in these slots (P,), filtered; below 0 untouched."""
        xy, scores = poses.keypoints_xy.copy(), poses.keypoint_scores.copy()
        covariance_px2, states = poses.covariance_px2.copy(), poses.keypoint_states.copy()
        measured = np.empty(scores.shape, dtype=np.bool_)
        boxes_xyxy = np.ascontiguousarray(poses.boxes_xyxy)
        cutoff_hz = self.settings.scale_cutoff_hz
        learn_scales(boxes_xyxy, xy, slots, time_s, cutoff_hz, self._seen_s, self._scales_px)
        if self.method == "one-euro":
            one_euro(
                *(xy, scores, self._scales_px, slots, time_s),
                *(self._states, self._one_euro, measured),
            )
        else:
            follow(
                *(xy, scores, covariance_px2, self._scales_px, slots),
                *(time_s, float(self.lead_s), self._states, self._follow, measured),
            )
        mark_guesses(xy, slots, measured, GUESSES, covariance_px2, states)
        return replace(
            poses,
            keypoints_xy=xy,
            keypoint_scores=scores,
            covariance_px2=covariance_px2,
            keypoint_states=states,
        )

    def _forget(self, time_s: float) -> None:
        """Drops whoever was not seen for ``gap_s``, or was last seen in the future."""
        seen_s, gap_s = self._seen_s.tolist(), self.settings.gap_s
        late = [
            track_id
            for track_id, slot in self._slots.items()
            if not 0.0 <= time_s - seen_s[slot] <= gap_s
        ]
        self._free.extend(self._slots.pop(track_id) for track_id in late)

    def _slots_of(self, track_ids: list[int], joints: int) -> NDArray[np.int64]:
        """Row of the state of each track; new tracks get a fresh one, who is not followed -1."""
        if joints != self._states.shape[1]:
            self.reset()
            self._states = np.empty((0, joints, self._columns))
        for track_id in track_ids:
            if track_id > 0 and track_id not in self._slots:
                self._slots[track_id] = slot = self._free.pop() if self._free else self._grow()
                self._states[slot] = np.nan
                self._seen_s[slot] = self._scales_px[slot] = np.nan
        slots = [self._slots.get(track_id, -1) for track_id in track_ids]
        return np.array(slots, dtype=np.int64)

    def _grow(self) -> int:
        rows = len(self._states)
        fresh = np.full((max(8, rows), *self._states.shape[1:]), np.nan)
        self._states = np.concatenate([self._states, fresh])
        self._seen_s = np.concatenate([self._seen_s, fresh[:, 0, 0]])
        self._scales_px = np.concatenate([self._scales_px, fresh[:, 0, 0]])
        self._free.extend(range(rows + 1, len(self._states)))
        return rows
