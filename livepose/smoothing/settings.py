"""What can be chosen about smoothing."""

from dataclasses import dataclass

METHODS = ("one-euro", "none")
"""Names of the filters; ``none`` hands poses through untouched."""


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """Constants of the filters, in seconds, Hz and body scales.

    A body scale is the root of the area of a person's box. For somebody who stands it is about a
    metre, so that body scales a second can be read as metres a second, near or far.
    """

    min_cutoff_hz: float = 1.0
    """Cut-off for a keypoint at rest: lower trembles less and follows slow motion later."""
    cutoff_per_speed: float = 10.0
    """Hz added for each body scale a second of speed: higher lags less and trembles more."""
    speed_cutoff_hz: float = 2.0
    """Cut-off of the speed estimate itself."""
    fade_s: float = 0.2
    """A keypoint that vanishes keeps its place for so long, its score falling to zero."""
    gap_s: float = 0.5
    """Somebody not seen for longer starts anew, and is forgotten."""
    jump_scales: float = 0.3
    """A keypoint that comes back farther away than this starts anew instead of gliding there."""
    scale_cutoff_hz: float = 0.5
    """Cut-off of the body scale, so that a trembling box does not tremble the filter."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name}: expected a number of at least 0, got {value}")

    def constants(self) -> tuple[float, float, float, float, float]:
        """What the kernel takes, in its order."""
        return (
            float(self.min_cutoff_hz),
            float(self.cutoff_per_speed),
            float(self.speed_cutoff_hz),
            float(self.fade_s),
            float(self.jump_scales),
        )
