"""What can be chosen about smoothing."""

from dataclasses import dataclass

from livepose.settings import SMOOTHINGS
from livepose.smoothing._imm_kernels import ImmConstants
from livepose.smoothing._one_euro_kernels import OneEuroConstants

PRESETS = ("still", "balanced", "fast")
METHODS = SMOOTHINGS
"""Names of the filters; ``none`` hands poses through untouched."""

LEAST_STAY_S = 1e-3


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """Constants of the filters, in seconds, Hz and body scales.

    A body scale is the root of the area of a person's box. For somebody who stands it is about a
    metre, so that body scales a second can be read as metres a second, near or far.
    """

    noise_share: float = 0.16
    """How much of a measurement's variance is trembling from picture to picture, the rest being
    a constant error: higher trembles less and follows later."""
    rest_drift: float = 1e-5
    """Square of the way that a keypoint at rest drifts in a second."""
    slow_agility: float = 3e-3
    """How abruptly slow motion changes its speed: density of a white acceleration."""
    quick_agility: float = 20.0
    """The same of quick motion."""
    rest_s: float = 5.0
    """How long a rest usually lasts."""
    slow_s: float = 2.0
    """How long slow motion usually lasts."""
    quick_s: float = 1.0
    """How long quick motion usually lasts."""
    glide_s: float = 0.1
    """A keypoint that is predicted comes to a halt in about that time."""
    top_speed: float = 8.0
    """Nobody moves faster: what does is doubted until the next picture confirms it."""

    min_cutoff_hz: float = 1.0
    """One Euro: cut-off for a keypoint at rest."""
    cutoff_per_speed: float = 10.0
    """One Euro: Hz added for each body scale a second of speed."""
    speed_cutoff_hz: float = 2.0
    """One Euro: cut-off of the speed estimate itself."""

    fade_s: float = 0.2
    """A keypoint that vanishes is predicted for so long, its score falling to zero."""
    gap_s: float = 1.5
    """Somebody not seen for longer starts anew, and is forgotten; as long as the tracker knows who
    somebody out of sight is, and longer than from one picture to the next."""
    jump_scales: float = 0.3
    """A keypoint that comes back farther away than this starts anew instead of gliding there."""
    scale_cutoff_hz: float = 0.5
    """Cut-off of the body scale, so that a trembling box does not tremble the filter."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name}: expected a number of at least 0, got {value}")

    @classmethod
    def of(cls, method: str) -> "SmoothingSettings":
        """What a preset stands for."""
        return cls(noise_share=NOISE_SHARES.get(method, NOISE_SHARES["balanced"]))

    def one_euro_constants(self) -> OneEuroConstants:
        """What the One Euro kernel takes."""
        names = OneEuroConstants._fields
        return OneEuroConstants(**{name: float(getattr(self, name)) for name in names})

    def imm_constants(self) -> ImmConstants:
        """What the kernel with three models takes."""
        lasts_s = (self.rest_s, self.slow_s, self.quick_s)
        rest_s, slow_s, quick_s = (max(float(one), LEAST_STAY_S) for one in lasts_s)
        return ImmConstants(
            noise_share=float(self.noise_share),
            changes=(float(self.rest_drift), float(self.slow_agility), float(self.quick_agility)),
            lasts_s=(rest_s, slow_s, quick_s),
            glide_s=float(self.glide_s),
            fade_s=float(self.fade_s),
            jump_scales=float(self.jump_scales),
            top_speed=float(self.top_speed),
            gap_s=float(self.gap_s),
        )


NOISE_SHARES = {"still": 0.55, "balanced": 0.16, "fast": 0.033}
"""The presets: the only constant in which they differ."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a filter costs and gives, as ``python -m studies.jitter --synthetic`` measured it."""

    adds_ms: float
    """Lag in motion."""
    removes_px: float
    """Trembling at rest, RMS, of people about 145 px large (root of the box area)."""
    of_px: float

    def __str__(self) -> str:
        return (
            f"adds {self.adds_ms:.0f} ms, removes {self.removes_px:.2f} of {self.of_px:.2f} px of"
            " trembling"
        )


PRICES = {
    "still": Price(4.7, 0.32, 0.68),
    "balanced": Price(1.0, 0.20, 0.68),
    "fast": Price(0.0, 0.10, 0.68),
    "one-euro": Price(15.0, 0.08, 0.68),
    "none": Price(0.0, 0.0, 0.68),
}
"""Figures and command: docs/smoothness.md."""
