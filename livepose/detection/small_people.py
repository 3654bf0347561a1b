"""The second scale: the picture in a larger input too, for people who are small in the usual one.

Somebody near is found best in the small input, somebody far away only in a larger one. So what
the usual input shows stays, and the small people of the larger one come to it. It takes three
times as long; ``schedule`` says when.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from livepose import boxes
from livepose.detection.letterbox import STRIDE, Letterbox
from livepose.detection.protocol import Detections, Detector
from livepose.frame import ImageBgr

LARGER = 1.6
"""The larger input is so many times as long as the usual one ..."""
LEAST_LARGER = 1.2
"""... but no longer than the picture itself, and not worth it below this."""
MOST_REDUCED = 3.75
"""So many times at most is a picture reduced in it: somebody 150 px high in 4K is to be found."""
SMALL_PX = 80.0
"""Who is lower than this in the usual input is small: most of them are missed there."""
SURE = 0.5
"""Whom the usual input shows less surely is as good as missed there."""
SAME_IOU = 0.5
"""From this overlap on, boxes of the two inputs are the same person."""


@dataclass(frozen=True, slots=True)
class TwoScales:
    """The people of one picture in both inputs, and how many small ones only the larger shows."""

    people: Detections
    small: int


@runtime_checkable
class TwoScaleDetector(Detector, Protocol):
    """A detector that can take a second scale."""

    def can_detect_small(self, source_wh: tuple[int, int], wait: bool) -> bool:
        """Whether a second scale is of use at this size of picture, and can be had at once.

        What it needs is otherwise prepared beside; with ``wait`` the detection waits for it.
        """

    def detect_small(self, image_bgr: ImageBgr) -> TwoScales:
        """The people in a picture, uint8 (H, W, 3), blue first."""


def second_scale_px(source_wh: tuple[int, int], usual_px: int) -> int | None:
    """Longer side of the larger input; None where it would hardly be larger."""
    longer_px = max(source_wh)
    wanted_px = min(longer_px, max(round(LARGER * usual_px), round(longer_px / MOST_REDUCED)))
    whole_px = -(-wanted_px // STRIDE) * STRIDE
    return whole_px if whole_px >= LEAST_LARGER * usual_px else None


def joined(usual: Detections, larger: Detections, letterbox: Letterbox) -> TwoScales:
    """The people of the usual input, and the small ones of the larger one, the surest first.

    ``letterbox`` is how the picture lies in the usual input. Of two boxes of one person the surer
    stays.
    """
    inside = letterbox.to_input(larger.boxes_xyxy)
    larger = larger.select(inside[:, 3] - inside[:, 1] < SMALL_PX)
    same = boxes.iou(usual.boxes_xyxy, larger.boxes_xyxy) >= SAME_IOU
    found = same & (usual.scores >= SURE)[:, None]
    small = int((~found.any(axis=0)).sum())
    surer = larger.scores > usual.scores[:, None]
    usual = usual.select(~np.any(same & surer, axis=1))
    larger = larger.select(~np.any(same & ~surer, axis=0))
    people = Detections(
        np.concatenate([usual.boxes_xyxy, larger.boxes_xyxy]),
        np.concatenate([usual.scores, larger.scores]),
    )
    return TwoScales(people.select(np.argsort(-people.scores, kind="stable")), small)
