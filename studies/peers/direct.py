"""The protocol of a peer that answers with keypoints instead of heatmaps."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.evaluation.cost import Cost
from livepose.frame import ImageBgr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """What a peer finds in one picture: keypoints (P, K, 2) in px, their scores (P, K), and for
    each person a box (P, 4) and a score (P,).
    """

    keypoints_xy: Array
    keypoint_scores: Array
    boxes_xyxy: Array
    scores: Array


class DirectPeer(Protocol):
    """A network that finds keypoints by itself."""

    @property
    def name(self) -> str:
        """For the table."""
        ...

    @property
    def backbone(self) -> str:
        """For the table."""
        ...

    @property
    def input_hw(self) -> tuple[int, int]:
        """Rows and columns of what it sees."""
        ...

    @property
    def own_boxes(self) -> bool:
        """Does it find people by itself?"""
        ...

    @property
    def cost(self) -> Cost | None:
        """Parameters and GFLOPs, where known."""
        ...

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes, scores: Array) -> People:
        """People of one picture; boxes are given, and ignored where ``own_boxes``."""
        ...
