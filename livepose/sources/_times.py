"""Times of a file: exact presentation times in, times that only go forward out."""

from collections.abc import Iterable
from fractions import Fraction

PLAIN_RATE_HZ = 25.0
"""Frames a second of a file that does not say."""


def earliest(starts: Iterable[Fraction | None]) -> Fraction | None:
    """The earliest of the known start times, None when none is known."""
    return min((start for start in starts if start is not None), default=None)


class ForwardTimes:
    """Turns presentation times into seconds from the file's start that always increase.

    A stream may lack times (raw MJPEG) or start over (recordings that were joined): then the
    next frame follows the one before by ``interval_s``, and later times keep their distances.
    Where the start is not known it is the time of the first frame.
    """

    def __init__(self, start: Fraction | None, interval_s: float) -> None:
        self._start = start
        self._shift = -(start or Fraction(0))
        self._interval = Fraction(interval_s).limit_denominator(1_000_000)
        self._last: Fraction | None = None

    def __call__(self, presented: Fraction | None) -> float:
        """Seconds for a frame with this presentation time, None where it has none."""
        if self._start is None and presented is not None:
            self._start = presented
            self._shift = (Fraction(0) if self._last is None else self._last) - presented
        follow = Fraction(0) if self._last is None else self._last + self._interval
        now = follow if presented is None else presented + self._shift
        if self._last is not None and now <= self._last:
            self._shift += follow - now
            now = follow
        self._last = now
        return float(now)
