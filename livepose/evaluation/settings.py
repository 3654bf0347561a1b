"""Everything that can be chosen about an evaluation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from livepose.evaluation.predict import Loading, Variant, variants_of

Progress = Callable[[str, int], Callable[[int], None]]
"""Starts a progress bar of that name and length; the result is told what is done."""


@dataclass(frozen=True)
class Choice:
    """What is measured, and how."""

    images: Path
    """Folder or ZIP of pictures."""
    annotations: Path
    weights: str = "default"
    boxes: str = "gt"
    """``gt``, ``detector``, or a file of detections."""
    decoders: tuple[str, ...] = ("dark",)
    flip_test: bool = False
    input_hw: tuple[int, int] | None = None
    """None is the size that the weights were trained for."""
    runtime: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    detector: str = "auto"
    detector_threshold: float = 0.05
    """Lowest score of a box: AP looks at the whole curve, so low."""
    limit: int | None = None
    """Pictures at most."""
    loading: Loading = field(default_factory=Loading)
    speed: bool = True

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Rows to score from the one forward pass."""
        return variants_of(self.decoders, ("aligned" if self.flip_test else "none",))


def no_progress(name: str, total: int) -> Callable[[int], None]:
    """Nobody watches."""
    return lambda count: None
