"""Everything that can be chosen about an evaluation."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from livepose.evaluation.predict import Loading, Variant, variants_of

Progress = Callable[[str, int], Callable[[int], None]]
"""Starts a progress bar of that name and length; the result is told what is done."""


@dataclass(frozen=True)
class Choice:
    """What is measured, and how."""

    images: Path  # folder or zip of pictures
    annotations: Path
    weights: str = "default"
    boxes: str = "gt"  # gt, detector, or a file of detections; several by commas
    decoders: tuple[str, ...] = ("dark",)
    flip_test: bool = False
    input_hw: tuple[int, int] | None = None  # None: the size that the weights were trained for
    runtime: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    detector: str = "auto"
    detector_threshold: float = 0.05  # AP looks at the whole curve, so low
    limit: int | None = None  # pictures at most
    loading: Loading = field(default_factory=Loading)
    speed: bool = True

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Rows to score from the one forward pass."""
        return variants_of(self.decoders, ("aligned" if self.flip_test else "none",))

    def by_boxes(self) -> "list[Choice]":
        """The same for each kind of boxes alone, end to end first."""
        kinds = sorted(dict.fromkeys(self.boxes.split(",")), key=lambda kind: kind == "gt")
        return [replace(self, boxes=kind) for kind in kinds]

    @property
    def boxes_name(self) -> str:
        """Whose boxes, for tables."""
        return {"gt": "annotated", "detector": "detector's"}.get(self.boxes, Path(self.boxes).name)


def no_progress(name: str, total: int) -> Callable[[int], None]:
    """Nobody watches."""
    return lambda count: None
