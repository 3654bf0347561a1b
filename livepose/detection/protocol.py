"""What a detector is and says, and what runs its network.

An engine takes letterboxed pictures, uint8 (B, h, w, 3), blue first, and gives float32
(B, 4 + classes, N): centre, size and scores of N candidates in input pixels; or (B, N, 6) from
networks that need no NMS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.errors import WeightsError
from livepose.frame import ImageBgr

Predictions = NDArray[np.float32]
LEAST_INPUT_PX, MOST_INPUT_PX = 32, 4096


@dataclass(frozen=True, slots=True)
class Detections:
    """People in one picture: ``boxes_xyxy`` float64 (N, 4) in its pixels, ``scores`` (N,), 0 to 1.

    The surest comes first.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float64]

    @classmethod
    def whole(cls, image_bgr: ImageBgr) -> "Detections":
        """One person, as large as the picture (H, W, 3)."""
        height, width = image_bgr.shape[:2]
        return cls(np.array([[0.0, 0.0, width, height]]), np.ones(1))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Detections":
        """Those where this mask is true, or at these indices."""
        return Detections(self.boxes_xyxy[which], self.scores[which])


class Detector(Protocol):
    """Finds people in pictures."""

    @property
    def name(self) -> str:
        """What it is, in a few words."""

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each of these pictures, uint8 (H, W, 3), blue first, of any sizes."""


class Engine(Protocol):
    """Something that runs a detection network."""

    name: str
    input_wh: tuple[int, int] | None
    """The one size it takes, None for any of whole strides."""

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for these pictures, see the module."""


@runtime_checkable
class PreparedEngine(Protocol):
    """An engine that has to prepare itself for each input size, for longer than a frame takes."""

    def prepare(self, input_wh: tuple[int, int]) -> bool:
        """Whether it is ready for one picture of this size; else prepares for it beside."""


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """What a network answers: ``person`` is the index of that class among so many ``classes``."""

    person: int
    classes: int
    input_px: int | None
    """Longer side that the file recommends."""

    def __post_init__(self) -> None:
        """Refuses an input that no detector has, before memory for it is asked for."""
        if self.input_px is not None and not LEAST_INPUT_PX <= self.input_px <= MOST_INPUT_PX:
            raise WeightsError(
                f"input_px of the detector has to be {LEAST_INPUT_PX} to {MOST_INPUT_PX}, "
                f"got {self.input_px}"
            )


def person_class(names: Mapping[int, str], path: Path) -> int:
    """Index of the class person; WeightsError when there is none."""
    found = [index for index, name in names.items() if name == "person"]
    if found:
        return found[0]
    known = ", ".join(list(names.values())[:5]) or "nothing"
    raise WeightsError(f"{path} does not detect persons; it knows {known}")
