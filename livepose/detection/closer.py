"""Looking closer: the picture in a larger input too, for people who are small in the usual one.

Somebody near is found best in the small input, somebody far away only in a larger one. A closer
look is both: what the usual input shows stays, and the small people of the larger one come to it.
It takes three times as long; ``looks`` says when.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.detection.detections import Detections, Detector
from livepose.detection.letterbox import STRIDE, Letterbox
from livepose.frame import ImageBgr

CLOSER = 1.6
"""The larger input is so many times as long as the usual one ..."""
LEAST_CLOSER = 1.2
"""... but no longer than the picture itself, and not worth it below this."""
SMALL_PX = 80.0
"""Who is lower than this in the usual input is small: most of them are missed there."""
SAME_IOU = 0.5
"""From this overlap on, boxes of the two inputs are the same person."""


@dataclass(frozen=True, slots=True)
class CloserLook:
    """The people of one picture in both inputs, and how many of them are small."""

    people: Detections
    small: int


@runtime_checkable
class LooksCloser(Detector, Protocol):
    """A detector that can look closer."""

    def can_look_closer(self, source_wh: tuple[int, int], wait: bool) -> bool:
        """Whether a closer look at a picture of this size is of use, and can be had at once.

        What it needs is otherwise prepared beside; with ``wait`` the look itself waits for it.
        """

    def look_closer(self, image_bgr: ImageBgr) -> CloserLook:
        """The people in a picture, uint8 (H, W, 3), blue first."""


def closer_px(source_wh: tuple[int, int], usual_px: int) -> int | None:
    """Longer side of the larger input; None where it would hardly be larger."""
    wanted_px = min(max(source_wh), round(CLOSER * usual_px))
    whole_px = -(-wanted_px // STRIDE) * STRIDE
    return whole_px if whole_px >= LEAST_CLOSER * usual_px else None


def joined(usual: Detections, closer: Detections, letterbox: Letterbox) -> CloserLook:
    """The people of the usual input, and the small ones of the larger one, the surest first.

    ``letterbox`` is how the picture lies in the usual input. Of two boxes of one person the surer
    stays.
    """
    closer = _select(closer, _small(closer, letterbox))
    same = boxes.iou(usual.boxes_xyxy, closer.boxes_xyxy) >= SAME_IOU
    surer = closer.scores > usual.scores[:, None]
    usual = _select(usual, ~np.any(same & surer, axis=1))
    closer = _select(closer, ~np.any(same & ~surer, axis=0))
    people = Detections(
        np.concatenate([usual.boxes_xyxy, closer.boxes_xyxy]),
        np.concatenate([usual.scores, closer.scores]),
    )
    people = _select(people, np.argsort(-people.scores, kind="stable"))
    return CloserLook(people, int(_small(people, letterbox).sum()))


def _small(people: Detections, letterbox: Letterbox) -> NDArray[np.bool_]:
    inside = letterbox.to_input(people.boxes_xyxy)
    return np.asarray(inside[:, 3] - inside[:, 1] < SMALL_PX)


def _select(people: Detections, which: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
    return Detections(people.boxes_xyxy[which], people.scores[which])
