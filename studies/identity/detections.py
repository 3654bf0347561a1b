"""A noise model in place of detector and pose network, so that trackers are judged alone.

Of somebody of whom the part v is seen, the detector says nothing where v < 0.15, always something
where v > 0.5, and in between the more the likelier. Besides, everybody is missed now and then for
a few frames. Edges tremble; whoever is much hidden gets the box of what is seen. Of two boxes that
overlap by more than 0.7 only the surer stays (non-maximum suppression). Ghosts appear at random
places with weak scores and stay a moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.boxes import Boxes
from livepose.detection import Detections
from livepose.poses import Poses
from livepose.skeletons import COCO17
from livepose.tracking import Tracked
from studies.identity.scenes import SIZE_WH, Scene, Truth

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NoiseModel:
    """How a middling detector and pose network err."""

    edge: float = 0.03
    """Standard deviation of each edge, in body scales (root of the box's area)."""
    score: float = 0.08
    """... of the score around its mean 0.9 v."""
    miss_starts: float = 0.02
    """Chance, at each frame, that somebody begins to be missed."""
    miss_ends: float = 0.4
    """... and to be found again."""
    ghost_starts: float = 0.02
    ghost_ends: float = 0.3
    keypoint: float = 0.5
    """Standard deviation of keypoints that are seen, in COCO's sigmas times the body scale."""
    hidden_keypoint: float = 3.0
    """... of those that are not."""


SURE_OVERLAP = 0.7
WHOLE = 0.6
"""From here on the box is around the whole person."""


def noisy_detections(
    scene: Scene, seed: int, noise: NoiseModel | None = None
) -> Iterator[Detections]:
    """What a detector would say of each frame of a scene."""
    noise = noise or NoiseModel()
    random = np.random.default_rng([seed, 7])
    missed = np.zeros(len(scene.plan.trajectories), dtype=bool)
    ghost: Floats | None = None
    for index in range(scene.frame_count):
        truth = scene.truth(index)
        flips = random.random(len(missed))
        missed = np.where(missed, flips >= noise.miss_ends, flips < noise.miss_starts)
        found = (truth.visible - 0.15) / 0.35 > random.random(len(missed))
        ghost = _ghost(ghost, random, noise)
        yield _found(truth, np.flatnonzero(found & ~missed), ghost, random, noise)


def _found(
    truth: Truth, who: NDArray[np.int64], ghost: Floats | None, random: np.random.Generator,
    noise: NoiseModel,
) -> Detections:  # fmt: skip
    visible = truth.visible[who]
    whole = visible[:, None] >= WHOLE
    boxes_xyxy = np.where(whole, truth.boxes_xyxy[who], truth.seen_xyxy[who])
    scale_px = np.sqrt(boxes.area(boxes_xyxy))[:, None]
    boxes_xyxy = boxes_xyxy + random.normal(0.0, 1.0, boxes_xyxy.shape) * noise.edge * scale_px
    scores = np.clip(0.9 * visible + random.normal(0.0, noise.score, len(who)), 0.1, 0.98)
    if ghost is not None:
        boxes_xyxy = np.concatenate([boxes_xyxy, ghost[None]])
        scores = np.append(scores, random.uniform(0.15, 0.45))
    kept = _suppressed(boxes.clip(boxes_xyxy, SIZE_WH), scores)
    return Detections(boxes.clip(boxes_xyxy, SIZE_WH)[kept], scores[kept])


def _suppressed(boxes_xyxy: Boxes, scores: Floats) -> NDArray[np.int64]:
    """Rows that survive non-maximum suppression, the surest first."""
    kept: list[int] = []
    overlap = boxes.iou(boxes_xyxy, boxes_xyxy)
    for row in np.argsort(-scores, kind="stable"):
        if not np.any(overlap[row, kept] > SURE_OVERLAP):
            kept.append(int(row))
    return np.array(kept, dtype=np.int64)


def _ghost(ghost: Floats | None, random: np.random.Generator, noise: NoiseModel) -> Floats | None:
    if ghost is not None:
        return None if random.random() < noise.ghost_ends else ghost + random.normal(0, 2.0, 4)
    if random.random() >= noise.ghost_starts:
        return None
    height = random.uniform(0.3, 0.6) * SIZE_WH[1]
    left, top = random.uniform(0, 0.8 * SIZE_WH[0]), random.uniform(0, SIZE_WH[1] - height)
    return np.array([left, top, left + 0.4 * height, top + height])


def noisy_poses(
    tracked: Tracked, truth: Truth, random: np.random.Generator, noise: NoiseModel | None = None
) -> Poses:
    """What a pose network would say of these boxes: in each, the person who fills it best.

    That is the greatest overlap with the box times the part that is seen; where it is below a
    tenth nobody is there, and all scores are low.
    """
    noise = noise or NoiseModel()
    places = np.nan_to_num(truth.boxes_xyxy)
    likeness = boxes.iou(tracked.boxes_xyxy, places) * truth.visible
    who = likeness.argmax(axis=1)
    there = (likeness.max(axis=1) > 0.1)[:, None]
    seen = truth.keypoints_seen[who]
    sigma_px = np.sqrt(boxes.area(places)[who])[:, None] * np.array(COCO17.oks_sigmas)
    spread = np.where(seen, noise.keypoint, noise.hidden_keypoint) * sigma_px
    shaken = random.normal(0.0, 1.0, (*seen.shape, 2)) * spread[..., None]
    keypoints_xy = truth.keypoints_xy[who] + shaken
    scores = np.where(seen, random.uniform(0.5, 0.9, seen.shape), random.uniform(0.05, 0.3))
    scores = np.where(there & np.isfinite(keypoints_xy).all(axis=2), scores, 0.03)
    return Poses(
        keypoints_xy=keypoints_xy,
        keypoint_scores=scores,
        boxes_xyxy=tracked.boxes_xyxy,
        scores=tracked.scores,
        track_ids=tracked.track_ids,
        covariance_px2=np.full((*seen.shape, 2, 2), np.nan),
    )
