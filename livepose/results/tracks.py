"""What one person does over time, and the same at even steps of time."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.poses import Poses
from livepose.results.angles import AngleMeter

Floats = NDArray[np.float64]

LONGEST_GAP_S = 0.25
"""What is missing for longer is not filled in, and no line is drawn across it."""
LONGEST_SECONDS = 7 * 24 * 3600.0


@dataclass(slots=True)
class Track:
    """One person: times (T,), keypoints (T, K, 2) in px, and angles (T, A) in degrees."""

    times_s: list[float] = field(default_factory=list)
    keypoints_xy: list[Floats] = field(default_factory=list)
    degrees: list[Floats] = field(default_factory=list)

    def resampled(self, what: str, rate_hz: float) -> tuple[Floats, Floats]:
        """Times and values of ``what`` ("keypoints_xy" or "degrees") at ``rate_hz``, see below."""
        values = np.array(getattr(self, what))
        times_s, even = resample(np.array(self.times_s), values.reshape(len(values), -1), rate_hz)
        return times_s, even.reshape(len(times_s), *values.shape[1:])


class Tracks:
    """Collects people by their id; those of still pictures, who have none, are left out."""

    def __init__(self) -> None:
        self.by_id: dict[int, Track] = {}
        self._meter = AngleMeter()

    def add(self, time_s: float, poses: Poses) -> None:
        """Adds the people of one frame."""
        degrees = self._meter(poses).degrees
        for person, track_id in enumerate(poses.track_ids.tolist()):
            if track_id > 0:
                track = self.by_id.setdefault(track_id, Track())
                track.times_s.append(time_s)
                track.keypoints_xy.append(poses.keypoints_xy[person].copy())
                track.degrees.append(degrees[person].copy())


def resample(times_s: Floats, values: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Values (T, C) at whole multiples of 1 / rate between the first and last time, by lines.

    A value lies between two known ones that are at most ``LONGEST_GAP_S`` apart (or two steps of
    the rate), or is NaN.

    >>> resample(np.array([0.0, 0.1]), np.array([[0.0], [1.0]]), 20.0)[1].ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    if times_s[-1] - times_s[0] > LONGEST_SECONDS:
        raise DataError(f"a track of {times_s[-1] - times_s[0]:.0f} s is too long to be resampled")
    tiny = 1e-9  # a time that is a multiple of the step up to rounding counts as one
    first, last = np.ceil(times_s[0] * rate_hz - tiny) + 0.0, np.floor(times_s[-1] * rate_hz + tiny)
    even_s = np.arange(first, last + 1) / rate_hz
    result = np.full((len(even_s), values.shape[1]), np.nan)
    for column, known in enumerate(np.isfinite(values).T):
        if known.any():
            result[:, column] = _between(
                even_s, times_s[known], values[known, column], max(LONGEST_GAP_S, 2 / rate_hz)
            )
    return even_s, result


def _between(even_s: Floats, times_s: Floats, values: Floats, longest_s: float) -> Floats:
    tiny = 1e-6
    after = np.clip(np.searchsorted(times_s, even_s), 1, max(len(times_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    on_one = np.minimum(np.abs(even_s - times_s[before]), np.abs(even_s - times_s[after])) < tiny
    inside = (even_s >= times_s[before]) & (even_s <= times_s[after])
    filled = inside & (times_s[after] - times_s[before] <= longest_s)
    return np.where(on_one | filled, np.interp(even_s, times_s, values), np.nan)


def median_rate_hz(times_s: Floats) -> float:
    """Frames a second, from the median distance of two."""
    steps_s = np.diff(times_s)
    steps_s = steps_s[steps_s > 0]
    return float(1.0 / np.median(steps_s)) if len(steps_s) else 1.0
