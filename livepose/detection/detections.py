"""What a detector is, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.frame import ImageBgr


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


class Detector(Protocol):
    """Finds people in pictures."""

    @property
    def name(self) -> str:
        """What it is, in a few words."""

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each of these pictures, uint8 (H, W, 3), blue first, of any sizes."""
