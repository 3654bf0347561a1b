"""Everything that can be chosen about the pipeline, in one place."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen about the pipeline."""

    weights: str | Path = "default"
    """Pose weights: ``default``, a name of ``livepose weights list``, or a file."""
    detector: str | Path = "auto"
    """``auto``, ``none`` (one person, the whole frame), a name or a file."""
    runtime: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    decode: str = "dark"
    """``dark``, ``shift``, ``argmax`` or ``integral``."""
    smooth: str = "balanced"
    """``still``, ``balanced``, ``fast``, ``one-euro`` or ``none``."""
    predict: bool = False
    """Hands keypoints out where they will be when they are seen; see ``shown_after``."""
    detect_every: int | None = None
    """Frames from one detection to the next; None adapts to what moves."""
    detector_size_px: int | None = None
    """Long side of the detector's input; None lets it choose, and look closer where people are
    small."""
    detector_threshold: float | None = None
    """Lowest score of a box; None takes what suits the detector."""
    max_people: int | None = None
    max_latency_ms: float | None = None
    """From capture to the screen; people then take turns. None: everybody in every frame."""
    target_fps: float | None = None
    """Frames a second to hold, in the same way."""
