"""Several systems measured in turn, round by round, and what one is over another."""

from collections.abc import Iterator, Sequence

import numpy as np

from livepose.benchmark.rounds import Length, Spread, TimedRun

STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's distribution with 1 to 9 degrees of freedom."""


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Our figure over theirs in the same rounds: the geometric mean and its 95 % interval.

    Rounds of one run share what else the machine did meanwhile, so their ratios scatter less than
    the figures. ``q1`` and ``q3`` are the ends of Student's interval of the mean logarithm; None
    where there are fewer than two rounds.
    """
    count = min(len(ours), len(theirs), len(STUDENT_95) + 1)
    if count < 2:
        return None
    logs = np.log(np.asarray(ours[:count]) / np.asarray(theirs[:count]))
    half = STUDENT_95[count - 2] * float(logs.std(ddof=1)) / float(np.sqrt(count))
    low, middle, high = (float(np.exp(logs.mean() + step)) for step in (-half, 0.0, half))
    return Spread(middle, low, high, count)


def in_turn(timed: Sequence[TimedRun], rounds: int, length: Length) -> Iterator[int]:
    """Everybody's first round, everybody's second, and so on; who begins changes.

    Yields after each round of all, so that the caller can tell how far it is.
    """
    for number in range(rounds):
        first = number % max(1, len(timed))
        for turn in [*timed[first:], *timed[:first]]:
            turn.round(length)
        yield number + 1
