"""What can be chosen about smoothing."""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from livepose.settings import SMOOTHINGS

PRESETS = ("still", "balanced", "fast")
METHODS = SMOOTHINGS
"""Names of the filters; ``none`` hands poses through untouched."""

NOISE_SHARES = {"still": 0.55, "balanced": 0.16, "fast": 0.033}
"""The presets: the only setting in which they differ."""
LEAST_STAY_S = 1e-3


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """Settings of the filters, in seconds, Hz and body scales; docs/smoothness.md chose them.

    A body scale is the root of the area of a person's box. For somebody who stands it is about a
    metre, so that body scales a second can be read as metres a second, near or far.
    """

    # How much of a measurement's variance is trembling from picture to picture, the rest being a
    # constant error: higher trembles less and follows later.
    noise_share: float = 0.16
    rest_drift: float = 1e-5  # square of the way that a keypoint at rest drifts in a second
    slow_agility: float = 3e-3  # how abruptly slow motion changes its speed: white acceleration
    quick_agility: float = 20.0  # the same of quick motion
    rest_s: float = 5.0  # how long a rest usually lasts
    slow_s: float = 2.0  # ... slow motion
    quick_s: float = 1.0  # ... quick motion
    glide_s: float = 0.1  # a keypoint that is predicted comes to a halt in about that time
    top_speed: float = 8.0  # what is faster is doubted until the next picture confirms it

    # One Euro.
    min_cutoff_hz: float = 1.0  # cut-off for a keypoint at rest
    cutoff_per_speed: float = 10.0  # Hz added for each body scale a second of speed
    speed_cutoff_hz: float = 2.0  # cut-off of the speed estimate itself

    fade_s: float = 0.2  # a keypoint that vanishes is predicted so long, its score falling to zero
    # Somebody not seen for longer starts anew, and is forgotten; as long as the tracker knows who
    # somebody out of sight is, and longer than from one picture to the next.
    gap_s: float = 1.5
    jump_scales: float = 0.3  # what comes back farther away starts anew instead of gliding there
    scale_cutoff_hz: float = 0.5  # of the body scale, so that a trembling box trembles no filter

    numbers: NDArray[np.void] = field(init=False, repr=False, compare=False)
    """The same again for kernels, by name; ``changes`` and ``lasts_s`` of rest, slow and quick."""

    def __post_init__(self) -> None:
        names = [one.name for one in fields(self) if one.init]
        for name in names:
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name}: expected a number of at least 0, got {value}")
        threes = [("changes", np.float64, 3), ("lasts_s", np.float64, 3)]
        numbers = np.zeros(1, dtype=[*((name, np.float64) for name in names), *threes])
        for name in names:
            numbers[name] = getattr(self, name)
        numbers["changes"] = self.rest_drift, self.slow_agility, self.quick_agility
        numbers["lasts_s"] = np.maximum((self.rest_s, self.slow_s, self.quick_s), LEAST_STAY_S)
        object.__setattr__(self, "numbers", numbers)

    @classmethod
    def of(cls, method: str) -> "SmoothingSettings":
        """What a preset stands for."""
        return cls(noise_share=NOISE_SHARES.get(method, NOISE_SHARES["balanced"]))


@dataclass(frozen=True, slots=True)
class Price:
    """What a filter costs and gives, as ``python -m studies.jitter --synthetic`` measured it."""

    adds_ms: float  # lag in motion
    removes_px: float  # trembling at rest, RMS, of people about 145 px large (root of the box area)
    of_px: float = 0.68

    def __str__(self) -> str:
        return (
            f"adds {self.adds_ms:.0f} ms, removes {self.removes_px:.2f} of {self.of_px:.2f} px of"
            " trembling"
        )


PRICES = {
    "still": Price(4.7, 0.32),
    "balanced": Price(1.0, 0.20),
    "fast": Price(0.0, 0.10),
    "one-euro": Price(15.0, 0.08),
    "none": Price(0.0, 0.0),
}
"""Figures and command: docs/smoothness.md."""
