"""The smoother: one filter state for each track, kept in arrays, filtered in one call."""

import math
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.poses import Poses
from livepose.smoothing import imm

NOISE_SHARES = {"still": 0.55, "balanced": 0.16, "fast": 0.033}
"""How much of a measurement's variance is trembling from image to image, the rest being a constant
error: higher trembles less and follows later. docs/smoothness.md chose them."""
COSTS = {
    "still": "adds 5 ms, removes 0.32 of 0.68 px of trembling",
    "balanced": "adds 1 ms, removes 0.20 of 0.68 px of trembling",
    "fast": "adds 0 ms, removes 0.10 of 0.68 px of trembling",
    "none": "adds 0 ms, removes 0.00 of 0.68 px of trembling",
}
"""Lag in motion, and trembling at rest, RMS, of people about 145 px large (root of the box area);
figures and command: docs/smoothness.md."""


class Smoother:
    """Smooths the keypoints of people who are followed.

    Each keypoint of each track is followed by three Kalman filters at once, which are mixed by
    how well each one explains what is measured [1]_: one for rest, which hardly gives way, one
    for slow motion, and one for quick motion, which gives way at once. So what is still does not
    tremble, and what moves is not late. The covariance that decoding gives each keypoint is its
    measurement noise: what the network is unsure of is smoothed more. Constants are in real
    seconds and body scales (the root of the area of a person's box), so that neither the frame
    rate nor the distance matters; x and y share one variance.

    * A keypoint that vanishes glides on by its last speed for 0.2 s while its score falls to zero,
      then it is NaN with score 0. Its covariance is NaN from the start: it was not measured.
    * A measurement that nobody could have moved to is doubted: the keypoint is predicted instead,
      until the next measurement confirms it. Both are ``KeypointState.PREDICTED``.
    * A keypoint that comes back near goes on, one that comes back elsewhere starts there.
    * 0.0 is a time like any other. A repeated time hands out the same positions again. After 1.5 s
      without the person, or when time runs backwards, that person starts anew.
    * People who are not followed (track id 0) pass untouched.

    Parameters
    ----------
    method : str
        ``still``, ``balanced``, ``fast``, or ``none``, which learns but hands poses through.

    Attributes
    ----------
    noise_share : float
        That of the method in ``NOISE_SHARES``.
    lead_s : float
        How far ahead of the image's time keypoints are handed out: 0 for where they were.

    Raises
    ------
    ValueError
        When the method is unknown.

    References
    ----------
    .. [1] H. A. P. Blom, Y. Bar-Shalom, "The interacting multiple model algorithm for systems
       with Markovian switching coefficients", IEEE Transactions on Automatic Control 33, 1988.
       https://doi.org/10.1109/9.1299

    Examples
    --------
    >>> from livepose.poses import Poses
    >>> len(Smoother().apply(0.0, Poses.empty()))
    0
    """

    def __init__(self, method: str = "balanced") -> None:
        if method not in COSTS:
            raise ValueError(f"smoothing: expected one of {', '.join(COSTS)}, got {method!r}")
        self.method, self.lead_s = method, 0.0
        self.noise_share = NOISE_SHARES.get(method, NOISE_SHARES["balanced"])
        self.reset()
        empty = Poses.empty()
        self.apply(0.0, empty)  # compiles
        self.doubts(0.0, empty.track_ids)
        self.propagate(0.0, empty, np.zeros(0, dtype=np.bool_))

    def reset(self, keypoints: int = 1) -> None:
        """Forgets everybody; the smoother is as new."""
        self._slots: dict[int, int] = {}
        self._bodies, self._states = np.empty((0, 2)), np.empty((0, keypoints, imm.IMM_COLUMNS))

    def apply(self, time_s: float, poses: Poses) -> Poses:
        """The poses of the image at ``time_s`` (seconds), smoothed; the input stays as it is.

        Raises
        ------
        ValueError
            When the time is not finite.
        """
        if not math.isfinite(time_s):
            raise ValueError(f"time_s: expected finite seconds, got {time_s}")
        names = "keypoints_xy", "keypoint_scores", "covariance_px2", "keypoint_states"
        made = poses.with_arrays(**{name: getattr(poses, name).copy() for name in names})
        self._assign_slots(time_s, poses)
        imm.smooth(*self._arguments(time_s, made))
        return poses if self.method == "none" else made

    def doubts(self, time_s: float, track_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much less a prediction of these people (P,) for ``time_s`` is worth than a look.

        The variance that the worst keypoint will have by that of a measurement: at 1 the prediction
        is as good. Infinite for strangers, and for whoever has just lost a keypoint.
        """
        slots = self._slots_of(track_ids)
        return np.asarray(imm.doubts(slots, self._bodies, self._states, float(time_s)))

    def propagate(self, time_s: float, poses: Poses, overdue: NDArray[np.bool_]) -> Poses:
        """People (P) who were not looked at, with the keypoints that they should have by now.

        Keypoints, scores and covariances are the filter's, the rest is that of ``poses``; strangers
        are left out. The keypoints of those for whom a look is ``overdue`` (P,) are marked as
        predicted. Nothing is learned: the next look is compared with the last one.
        """
        made = poses.without_keypoints(np.ones((len(poses), 1), dtype=np.bool_))
        arguments = self._arguments(time_s, made)
        imm.propagate(*arguments, overdue)
        return made.select(arguments[1] >= 0)

    def _arguments(self, time_s: float, made: Poses) -> Any:
        """As the kernels take them, which write into the poses ``made``."""
        keypoints = made.keypoints_xy, made.keypoint_scores, made.covariance_px2
        people = np.ascontiguousarray(made.boxes_xyxy), *keypoints, made.keypoint_states
        known = self._slots_of(made.track_ids), self._bodies, self._states
        return people, *known, (float(time_s), float(self.lead_s)), self.noise_share

    def _assign_slots(self, time_s: float, poses: Poses) -> None:
        """A fresh slot for each new track; who was not seen for long, or in the future, leaves."""
        if poses.keypoint_scores.shape[1] != self._states.shape[1]:
            self.reset(poses.keypoint_scores.shape[1])
        seen_s = self._bodies[:, imm.BODY_SEEN_S].tolist()
        slots = self._slots = {
            one: slot
            for one, slot in self._slots.items()
            if 0.0 <= time_s - seen_s[slot] <= imm.GAP_S
        }
        for one in poses.track_ids.tolist():
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
