"""Bootstrap 95 % intervals over pictures, and paired ones for the difference of two methods.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile
intervals). Pictures, not people, are drawn again: people of one picture are not independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Samples = Mapping[str, Array]
"""Each column for every resample of pictures."""

DRAWS = 1000
SEED = 20190614
INTERVALS_BELOW_PEOPLE = 1000
"""Figures from fewer people than this are printed with their interval."""


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high`` with 95 % confidence; NaN where it could not be drawn."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:.1f}, {self.high:.1f}]"

    def as_list(self) -> list[float | None]:
        """For JSON; NaN is null."""
        return [None if one != one else round(one, 2) for one in (self.low, self.high)]

    @property
    def excludes_zero(self) -> bool:
        """Is the sign of what it was drawn for beyond the noise of the pictures?"""
        return self.low > 0 or self.high < 0


@lru_cache(maxsize=4)
def draws(pictures: int, count: int = DRAWS) -> NDArray[np.int64]:
    """How often each picture is drawn in each resample, (count, pictures); the same every time."""
    random = np.random.default_rng(SEED)
    even = np.full(pictures, 1.0 / max(pictures, 1))
    drawn = np.asarray(random.multinomial(pictures, even, size=count), dtype=np.int64)
    drawn.setflags(write=False)
    return drawn


def percentile_interval(samples: Array) -> Interval:
    """The middle 95 % of the samples, NaN ignored; of paired samples give the differences."""
    known = samples[np.isfinite(samples)]
    if not known.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(float(low), float(high))
