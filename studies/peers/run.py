"""A peer that answers with keypoints, over a whole set."""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.evaluation.archive import Archive
from livepose.evaluation.boxes import Boxed
from livepose.evaluation.metrics import MOST_POSES, picture_results, pose_result
from livepose.evaluation.predict import Predictions
from livepose.evaluation.speed import WARM_UP, Speed, pictures_with_people, timed
from studies.peers.direct import DirectPeer, People

Array = NDArray[np.float64]


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
            image = store.image_bgr(boxed.picture.file_name, boxed.picture.size_wh)
            found = peer.estimate(image, boxed.boxes_xyxy, boxed.scores)
            results.extend(_results(peer, boxed, found, sigmas))
        advance(1)
    return results


def _results(peer: DirectPeer, boxed: Boxed, found: People, sigmas: Array) -> list[dict[str, Any]]:
    own = Predictions(found.keypoints_xy, found.keypoint_scores)
    if not peer.own_boxes:
        return picture_results(boxed, own, peer.input_hw, sigmas)
    best = np.argsort(-found.scores, kind="stable")[:MOST_POSES]
    return [pose_result(boxed.picture.id, own, int(one), found.scores[one]) for one in best]


def direct_speed(peer: DirectPeer, store: Archive, sample: Sequence[Boxed]) -> Speed:
    """People a second, and the median of a picture from memory to keypoints."""
    pairs = pictures_with_people(store, sample)
    for image, boxed in pairs[:WARM_UP]:
        peer.estimate(image, boxed.boxes_xyxy, boxed.scores)
    each_s = [
        timed(partial(peer.estimate, image, boxed.boxes_xyxy, boxed.scores))[0]
        for image, boxed in pairs
    ]
    people = sum(len(boxed) for _, boxed in pairs)
    return Speed(people / sum(each_s), 1e3 * statistics.median(each_s))
