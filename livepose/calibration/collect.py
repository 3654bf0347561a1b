"""What the network says of annotated keypoints, and how far off it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.boxes import annotated_boxes
from livepose.evaluation.dataset import load_annotations
from livepose.heatmaps import decode

Floats = NDArray[np.float64]

HIDDEN = 1
"""COCO's mark of a keypoint that is labelled and cannot be seen."""
BLUR_PX = 13
"""Width of the motion blur, in pixels of the network's input."""
PEOPLE_AT_ONCE = 16


@dataclass(frozen=True)
class Sightings:
    """N labelled keypoints, in heatmap pixels: ``error`` (N, 2), found minus labelled; ``reach``
    (N,), body scale: root of the box area; ``covariance`` (N, 2, 2) of the heatmap's shape, NaN
    where it has none; ``mass`` (N,): the positive part's sum over its height, cells that it covers.
    """

    joint: NDArray[np.int64]
    picture: NDArray[np.int64]
    error: Floats
    reach: Floats
    covariance: Floats
    score: Floats
    mass: Floats
    hidden: NDArray[np.bool_]
    blurred: NDArray[np.bool_]

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Sightings":
        """Those where this mask is true, or at these indices."""
        return Sightings(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def joined(parts: Sequence[Sightings]) -> Sightings:
    """All of them, in order."""
    names = Sightings.__dataclass_fields__
    return Sightings(*(np.concatenate([getattr(one, name) for one in parts]) for name in names))


def collect(
    estimator: PoseEstimator,
    images: Path,
    annotations: Path,
    people: int,
    advance: Callable[[int], None],
    first_picture: int = 0,
) -> Sightings:
    """The first ``people`` people of an annotated set, sharp and blurred, in annotated boxes.

    Pictures are numbered from ``first_picture`` on.
    """
    known = load_annotations(annotations)
    parts, done = [], 0
    with Archive(images) as pictures:
        for number, boxed in enumerate(annotated_boxes(known, estimator.runtime.card.alignment)):
            if done >= people:
                break
            if not len(boxed):
                continue
            image_bgr = pictures.image_bgr(boxed.picture.file_name)
            crops = estimator.cut(image_bgr, boxed.boxes_xyxy)
            labels = np.array([person.keypoints for person in known.people_by_picture[number]])
            soft = np.stack([cv2.blur(crop, (BLUR_PX, 1)) for crop in crops]).astype(np.uint8)
            for blurred, seen in ((False, crops), (True, soft)):
                what = labels, boxed.boxes_xyxy, first_picture + number, blurred
                parts.append(_sightings(estimator, seen, *what))
            done += len(boxed)
            advance(len(boxed))
    return joined(parts)


def _sightings(
    estimator: PoseEstimator,
    crops_bgr: NDArray[np.uint8],
    labels: Floats,
    boxes_xyxy: Floats,
    picture: int,
    blurred: bool,
) -> Sightings:
    starts = range(0, len(crops_bgr), PEOPLE_AT_ONCE)
    heatmaps = np.concatenate(
        [estimator.runtime(crops_bgr[i : i + PEOPLE_AT_ONCE]) for i in starts]
    )
    decoded = decode(heatmaps, "dark", estimator.runtime.card.blur_kernel)
    grid_hw = (int(heatmaps.shape[2]), int(heatmaps.shape[3]))
    true = estimator.geometry.to_heatmap(labels[..., :2], boxes_xyxy, grid_hw)
    corners = estimator.geometry.to_heatmap(boxes_xyxy.reshape(-1, 2, 2), boxes_xyxy, grid_hw)
    reach = np.sqrt(np.prod(corners[:, 1] - corners[:, 0], axis=1))
    mass = np.clip(heatmaps, 0, None).sum(axis=(2, 3)) / np.maximum(decoded.scores, 1e-6)
    # A label outside the crop cannot be found, whatever the network says.
    inside = ((true > -0.5) & (true < np.array(grid_hw[::-1]) - 0.5)).all(axis=2)
    kept = (labels[..., 2] > 0) & inside & np.isfinite(decoded.xy).all(axis=2)
    person, joint = np.nonzero(kept)
    return Sightings(
        joint=joint,
        picture=np.full(len(joint), picture),
        error=(decoded.xy - true)[kept],
        reach=reach[person],
        covariance=decoded.covariance[kept],
        score=np.minimum(decoded.scores[kept], 1.0).astype(np.float64),
        mass=mass[kept].astype(np.float64),
        hidden=labels[..., 2][kept] == HIDDEN,
        blurred=np.full(len(joint), blurred),
    )
