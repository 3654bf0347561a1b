"""The smoother: one filter state for each track, kept in arrays, filtered in one call."""

import math

import numpy as np
from numpy.typing import NDArray

from livepose.poses import Poses
from livepose.smoothing import _kernels
from livepose.smoothing._imm_kernels import IMM_COLUMNS
from livepose.smoothing._one_euro_kernels import STATE_COLUMNS
from livepose.smoothing.settings import METHODS, PRESETS, SmoothingSettings

FEWEST_SLOTS = 8


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
        self._columns = STATE_COLUMNS if method == "one-euro" else IMM_COLUMNS
        self.reset()
        self._filter(0.0, Poses.empty())  # compiles
        if method in PRESETS:
            nobody = Poses.empty()
            self.doubts(0.0, nobody.track_ids)
            self.propagate(0.0, nobody, np.zeros(0, dtype=np.bool_))

    def reset(self, keypoints: int = 1) -> None:
        """Forgets everybody; the smoother is as new."""
        self._tracks = np.empty(0, dtype=_kernels.TRACK)
        self._states = np.empty((0, keypoints, self._columns))

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
        return self._filter(float(time_s), poses)

    def doubts(self, time_s: float, track_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much less a prediction of these people (P,) for ``time_s`` is worth than a look.

        The variance that the worst keypoint will have by that of a measurement: at 1 the prediction
        is as good. Infinite for strangers, for whoever has just lost a keypoint, and with filters
        that do not predict.
        """
        if self.method not in PRESETS:
            return np.full(len(track_ids), np.inf)
        known, numbers = (self._tracks, self._states), self.settings.numbers
        return np.asarray(_kernels.doubts(track_ids, *known, float(time_s), numbers))

    def propagate(self, time_s: float, poses: Poses, overdue: NDArray[np.bool_]) -> Poses:
        """People (P) who were not looked at, with the keypoints that they should have by now.

        Keypoints, scores and covariances are the filter's, the rest is that of ``poses``; strangers
        are left out. The keypoints of those for whom a look is ``overdue`` (P,) are marked as
        predicted. Nothing is learned: the next look is compared with the last one.
        """
        if poses.keypoint_scores.shape[1] != self._states.shape[1]:
            return poses.select(np.zeros(len(poses), dtype=bool))
        shape = poses.keypoint_scores.shape
        people = (
            *(poses.track_ids, np.ascontiguousarray(poses.boxes_xyxy)),
            *(np.full((*shape, 2), np.nan), np.zeros(shape)),
            *(np.full((*shape, 2, 2), np.nan), np.zeros(shape, dtype=np.uint8)),
        )
        times_s, numbers = (float(time_s), float(self.lead_s)), self.settings.numbers
        known = _kernels.propagate(people, overdue, self._tracks, self._states, times_s, numbers)
        return poses.with_keypoints(*people[2:]).select(known)

    def _filter(self, time_s: float, poses: Poses) -> Poses:
        if poses.keypoint_scores.shape[1] != self._states.shape[1]:
            self.reset(poses.keypoint_scores.shape[1])
        people = self._as_people(poses)
        times_s, numbers = (time_s, float(self.lead_s)), self.settings.numbers
        one_euro = self.method == "one-euro"
        while not _kernels.smooth(people, self._tracks, self._states, times_s, numbers, one_euro):
            more = max(FEWEST_SLOTS, len(self._tracks))
            self._tracks = np.concatenate([self._tracks, np.zeros(more, dtype=_kernels.TRACK)])
            fresh = np.full((more, *self._states.shape[1:]), np.nan)
            self._states = np.concatenate([self._states, fresh])
        return poses.with_keypoints(*people[2:])

    @staticmethod
    def _as_people(poses: Poses) -> _kernels.People:
        """Copies, for kernels to write into."""
        return (
            *(poses.track_ids, np.ascontiguousarray(poses.boxes_xyxy)),
            *(poses.keypoints_xy.copy(), poses.keypoint_scores.copy()),
            *(poses.covariance_px2.copy(), poses.keypoint_states.copy()),
        )
