"""The smoother: one filter state for each track, kept in arrays, filtered in one call."""

import math
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.poses import Poses
from livepose.settings import SMOOTHINGS
from livepose.smoothing import _kernels
from livepose.smoothing.filters import GAP_S, IMM_COLUMNS, ONE_EURO_COLUMNS

METHODS = SMOOTHINGS
"""Names of the filters; ``none`` hands poses through untouched."""
NOISE_SHARES = {"still": 0.55, "balanced": 0.16, "fast": 0.033}
PRESETS = tuple(NOISE_SHARES)
"""Those that predict, and differ in one number alone."""
PRICES = {
    name: f"adds {adds_ms:.0f} ms, removes {removes_px:.2f} of 0.68 px of trembling"
    for name, adds_ms, removes_px in (
        ("still", 4.7, 0.32),
        ("balanced", 1.0, 0.20),
        ("fast", 0.0, 0.10),
        ("one-euro", 15.0, 0.08),
        ("none", 0.0, 0.0),
    )
}
"""Lag in motion, and trembling at rest, RMS, of people about 145 px large (root of the box area);
figures and command: docs/smoothness.md."""
FILTERED = ("keypoints_xy", "keypoint_scores", "covariance_px2", "keypoint_states")


class SmoothingSettings(NamedTuple):
    """What differs between the filters; docs/smoothness.md chose it."""

    noise_share: float = NOISE_SHARES["balanced"]
    """How much of a measurement's variance is trembling from image to image, the rest being a
    constant error: higher trembles less and follows later."""
    min_cutoff_hz: float = 1.0
    """One Euro: cut-off for a keypoint at rest."""
    cutoff_per_speed: float = 10.0
    """One Euro: Hz added for each body scale a second of speed."""


class Smoother:
    """Smooths the keypoints of people who are followed.

    Each keypoint of each track is followed by three Kalman filters at once, which are mixed by
    how well each one explains what is measured [1]_: one for rest, which hardly gives way, one
    for slow motion, and one for quick motion, which gives way at once. So what is still does not
    tremble, and what moves is not late. The covariance that decoding gives each keypoint is its
    measurement noise: what the network is unsure of is smoothed more. Constants are in real
    seconds and body scales, so that neither the frame rate nor the distance matters; x and y share
    one variance, so that the filter knows no directions. A body scale is the root of the area of a
    person's box: for somebody who stands about a metre.

    * A keypoint that vanishes glides on by its last speed for 0.2 s while its score falls to zero,
      then it is NaN with score 0. Its covariance is NaN from the start: it was not measured.
    * A measurement that nobody could have moved to is doubted: the keypoint is predicted instead,
      until the next measurement confirms it. Both are ``KeypointState.PREDICTED``.
    * A keypoint that comes back near goes on, one that comes back elsewhere starts there.
    * 0.0 is a time like any other. A repeated time hands out the same positions again. After 1.5 s
      without the person, or when time runs backwards, that person starts anew.
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
        How far ahead of the image's time keypoints are handed out: 0 for where they were. Not
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
        self.method, self.lead_s = method, 0.0
        share = NOISE_SHARES.get(method, NOISE_SHARES["balanced"])
        self._chosen = tuple(settings or SmoothingSettings(share))
        self.reset()
        empty = Poses.empty()
        self._filter(0.0, empty)  # compiles
        self.doubts(0.0, empty.track_ids)
        self.propagate(0.0, empty, np.zeros(0, dtype=np.bool_))

    def reset(self) -> None:
        """Forgets everybody; the smoother is as new."""
        columns = ONE_EURO_COLUMNS if self.method == "one-euro" else IMM_COLUMNS
        self._slots: dict[int, int] = {}
        self._bodies, self._states = np.empty((0, 2)), np.empty((0, 1, columns))

    def apply(self, time_s: float, poses: Poses) -> Poses:
        """The poses of the image at ``time_s`` (seconds), smoothed; the input stays as it is.

        Raises
        ------
        ValueError
            When the time is not finite.
        """
        if not math.isfinite(time_s):
            raise ValueError(f"time_s: expected finite seconds, got {time_s}")
        return poses if self.method == "none" else self._filter(float(time_s), poses)

    def doubts(self, time_s: float, track_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much less a prediction of these people (P,) for ``time_s`` is worth than a look.

        The variance that the worst keypoint will have by that of a measurement: at 1 the prediction
        is as good. Infinite for strangers, for whoever has just lost a keypoint, and with filters
        that do not predict.
        """
        if self.method not in PRESETS:
            return np.full(len(track_ids), np.inf)
        slots = self._slots_of(track_ids)
        return np.asarray(_kernels.doubts(slots, self._bodies, self._states, float(time_s)))

    def propagate(self, time_s: float, poses: Poses, overdue: NDArray[np.bool_]) -> Poses:
        """People (P) who were not looked at, with the keypoints that they should have by now.

        Keypoints, scores and covariances are the filter's, the rest is that of ``poses``; strangers
        are left out, and so is everybody with filters that do not predict. The keypoints of those
        for whom a look is ``overdue`` (P,) are marked as predicted. Nothing is learned: the next
        look is compared with the last one.
        """
        slots, shape = self._slots_of(poses.track_ids), poses.keypoint_scores.shape
        if self.method not in PRESETS or shape[1] != self._states.shape[1]:
            slots[:] = -1
        made = {
            "keypoints_xy": np.full((*shape, 2), np.nan),
            "keypoint_scores": np.zeros(shape),
            "covariance_px2": np.full((*shape, 2, 2), np.nan),
            "keypoint_states": np.zeros(shape, dtype=np.uint8),
        }
        people, times_s = (
            (np.ascontiguousarray(poses.boxes_xyxy), *made.values()),
            (float(time_s), float(self.lead_s)),
        )
        known = slots, self._bodies, self._states
        _kernels.propagate(people, overdue, *known, times_s, self._chosen)
        return poses.with_arrays(**made).select(slots >= 0)

    def _filter(self, time_s: float, poses: Poses) -> Poses:
        if poses.keypoint_scores.shape[1] != self._states.shape[1]:
            self._slots, self._bodies = {}, np.empty((0, 2))
            self._states = np.empty((0, poses.keypoint_scores.shape[1], self._states.shape[2]))
        self._assign_slots(time_s, poses.track_ids)
        made = {name: getattr(poses, name).copy() for name in FILTERED}
        people, times_s = (
            (np.ascontiguousarray(poses.boxes_xyxy), *made.values()),
            (time_s, float(self.lead_s)),
        )
        known = self._slots_of(poses.track_ids), self._bodies, self._states
        _kernels.smooth(people, *known, times_s, self._chosen, self.method == "one-euro")
        return poses.with_arrays(**made)

    def _assign_slots(self, time_s: float, track_ids: NDArray[np.int64]) -> None:
        """A fresh slot for each new track; who was not seen for long, or in the future, leaves."""
        seen_s = self._bodies[:, _kernels.SEEN_S].tolist()
        slots = self._slots = {
            one: slot for one, slot in self._slots.items() if 0.0 <= time_s - seen_s[slot] <= GAP_S
        }
        for one in track_ids.tolist():
            if one <= 0 or one in slots:
                continue
            slot = slots[one] = next(n for n in count() if n not in slots.values())
            if slot == len(self._bodies):
                more = max(1, slot)
                self._bodies = np.concatenate([self._bodies, np.empty((more, 2))])
                fresh = np.empty((more, *self._states.shape[1:]))
                self._states = np.concatenate([self._states, fresh])
            self._bodies[slot] = self._states[slot] = np.nan

    def _slots_of(self, track_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slot of each track (P,), -1 for who is not followed."""
        return np.array([self._slots.get(one, -1) for one in track_ids.tolist()], dtype=np.int64)
