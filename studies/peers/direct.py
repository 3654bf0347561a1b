"""A peer that answers with keypoints instead of heatmaps, and its run over a whole set."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.evaluation.archive import Archive
from livepose.evaluation.metrics import MOST_POSES, coco_results, pose_result
from livepose.evaluation.predict import Boxed, Predictions
from livepose.evaluation.report import Row
from livepose.evaluation.run import CocoScorer
from livepose.evaluation.speed import WARM_UP, Cost, Speed, images_with_people, seconds
from livepose.frame import ImageBgr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """What a peer finds in one image: keypoints (P, K, 2) in px, their scores (P, K), and for
    each person a box (P, 4) and a score (P,).
    """

    keypoints_xy: Array
    keypoint_scores: Array
    boxes_xyxy: Array
    scores: Array


class DirectPeer(Protocol):
    """A network that finds keypoints by itself.

    ``name`` and ``backbone`` are for the table; ``input_hw`` is what it sees, ``own_boxes`` whether
    it finds people by itself.
    """

    name: str
    backbone: str
    input_hw: tuple[int, int]
    own_boxes: bool

    @property
    def cost(self) -> Cost | None:
        """Parameters and GFLOPs, where known."""
        ...

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes, scores: Array) -> People:
        """People of one image; boxes are given, and ignored where ``own_boxes``."""
        ...


def direct_results(
    peer: DirectPeer,
    store: Archive,
    sample: Sequence[Boxed],
    sigmas: Array,
    advance: Callable[[int], None],
) -> list[dict[str, Any]]:
    """COCO results: with given boxes by livepose's protocol, with its own by the peer's scores."""
    results: list[dict[str, Any]] = []
    for boxed in sample:
        if peer.own_boxes or len(boxed):
            image = store.image_bgr(boxed.image.file_name, boxed.image.size_wh)
            found = peer.estimate(image, boxed.boxes_xyxy, boxed.scores)
            xy, scores = found.keypoints_xy, found.keypoint_scores
            if peer.own_boxes:
                best = np.argsort(-found.scores, kind="stable")[:MOST_POSES]
                one_image = boxed.image.id
                results += [pose_result(one_image, xy[i], scores[i], found.scores[i]) for i in best]
            else:
                results += coco_results([boxed], Predictions(xy, scores), peer.input_hw, sigmas)
        advance(1)
    return results


def direct_speed(peer: DirectPeer, store: Archive, sample: Sequence[Boxed]) -> Speed:
    """People a second, and the median of an image from memory to keypoints."""
    pairs = images_with_people(store, sample)
    for image, boxed in pairs[:WARM_UP]:
        peer.estimate(image, boxed.boxes_xyxy, boxed.scores)
    each_s = [
        seconds(peer.estimate, image, boxed.boxes_xyxy, boxed.scores) for image, boxed in pairs
    ]
    people = sum(len(boxed) for _, boxed in pairs)
    return Speed(people / sum(each_s), 1e3 * statistics.median(each_s))


def run_direct(scorer: CocoScorer, peer: DirectPeer) -> None:
    """A row of a peer that answers with keypoints."""
    data = scorer.data
    sample = data.boxes("pixel_centre")
    advance = data.progress(peer.name, len(sample))
    results = direct_results(peer, data.images, sample, scorer.sigmas, advance)
    speed = direct_speed(peer, data.images, sample) if data.settings.speed else Speed()
    row = Row(
        method=peer.name,
        backbone=peer.backbone,
        input_hw=peer.input_hw,
        figures={**(peer.cost or Cost())._asdict(), **speed._asdict()},
        boxes="its own" if peer.own_boxes else data.settings.boxes_name,
    )
    scorer.add(row, results)
