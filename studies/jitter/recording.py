"""What the network saw in a clip, kept, so that many filters can be tried on it quickly: the real
``Smoother``, fed with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import iou
from livepose.detection import Detections
from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.pipeline import PosePipeline
from livepose.poses import Poses
from livepose.skeletons import SKELETONS
from livepose.smoothing import Smoother
from livepose.sources import Source
from livepose.tracking import Tracker
from studies.jitter.scenes import Clip

Floats = NDArray[np.float64]

DETECT_EVERY_S = 0.5
"""The tracker is told the true boxes so often; between, it follows keypoints, as it does live."""
LEAST_S = 1.0
"""Somebody who is followed for less tells nothing."""
SAME = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Recording:
    """Unsmoothed observations of P people in T images; NaN and score 0 where there is none."""

    name: str
    fps: float
    times_s: Floats
    """(T,)"""
    matrices: Floats
    """(T, 2, 3): photograph to image."""
    boxes_xyxy: Floats
    """(T, P, 4): the tracker's."""
    keypoints_xy: Floats
    """(T, P, K, 2)"""
    keypoint_scores: Floats
    """(T, P, K)"""
    covariance_px2: Floats
    """(T, P, K, 2, 2)"""

    def poses_at(self, index: int) -> tuple[NDArray[np.int64], Poses]:
        """Who was found in an image, and their poses."""
        here = np.flatnonzero(np.isfinite(self.boxes_xyxy[index, :, 0]))
        return here, Poses(
            keypoints_xy=self.keypoints_xy[index, here],
            keypoint_scores=self.keypoint_scores[index, here],
            boxes_xyxy=self.boxes_xyxy[index, here],
            scores=np.ones(len(here)),
            track_ids=here + 1,
            covariance_px2=self.covariance_px2[index, here],
        )

    def save(self, path: Path) -> None:
        """Writes the recording as .npz."""
        np.savez_compressed(
            path, **{field.name: getattr(self, field.name) for field in fields(self)}
        )

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Reads what ``save`` wrote; DataError where it is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                values = {field.name: stored[field.name] for field in fields(cls)}
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path} is not a recording of the jitter study: {error}") from error
        return cls(**{**values, "name": str(values["name"]), "fps": float(values["fps"])})


def record(
    clip: Clip, estimator: PoseEstimator, advance: Callable[[int], None] = lambda done: None
) -> Recording:
    """Looks at every image of a clip once, in the boxes that the tracker hands out."""
    skeleton = SKELETONS[estimator.runtime.card.skeleton]
    tracker = Tracker(skeleton=skeleton)
    true_boxes, times_s = clip.boxes_xyxy(), clip.times_s
    kept = _blank(len(times_s), true_boxes.shape[1], len(skeleton.keypoints))
    last_s = -np.inf
    for index, (time_s, image_bgr) in enumerate(zip(times_s, clip, strict=True)):
        due = time_s - last_s >= DETECT_EVERY_S - 1e-9
        last_s = time_s if due else last_s
        found = Detections(true_boxes[index], np.full(true_boxes.shape[1], 0.9)) if due else None
        tracked = tracker.update(float(time_s), found)
        estimates = estimator.estimate(image_bgr, tracked.boxes_xyxy)
        poses = Poses(
            keypoints_xy=estimates.keypoints_xy,
            keypoint_scores=estimates.keypoint_scores,
            boxes_xyxy=tracked.boxes_xyxy,
            scores=tracked.scores,
            track_ids=tracked.track_ids,
            covariance_px2=estimates.covariance_px2,
            skeleton=skeleton,
        )
        tracker.observe(float(time_s), poses)
        _keep(kept, index, poses, true_boxes[index])
        advance(1)
    return Recording(clip.name, clip.fps, times_s, clip.matrices(), **kept)


def _blank(images: int, people: int, joints: int) -> dict[str, Floats]:
    return {
        "boxes_xyxy": np.full((images, people, 4), np.nan),
        "keypoints_xy": np.full((images, people, joints, 2), np.nan),
        "keypoint_scores": np.zeros((images, people, joints)),
        "covariance_px2": np.full((images, people, joints, 2, 2), np.nan),
    }


def _keep(kept: dict[str, Floats], index: int, poses: Poses, true_boxes: Floats) -> None:
    """Notes each pose under the person whose true box it overlaps most."""
    overlap = iou(poses.boxes_xyxy, true_boxes)
    for row, person in enumerate(overlap.argmax(axis=1) if len(poses) else ()):
        if overlap[row, person] >= 0.4 and overlap[:, person].argmax() == row:
            for name, values in kept.items():
                values[index, person] = getattr(poses, name)[row]


def watch(
    pipeline: PosePipeline, source: Source, most: int, advance: Callable[[int], None]
) -> Recording:
    """The first ``most`` images of a source; ``pipeline`` must not smooth.

    DataError when nobody is followed for ``LEAST_S``.
    """
    times_s, seen = [], []
    for frame, poses in islice(pipeline.run(source), most):
        times_s.append(frame.time_s)
        seen.append(poses)
        advance(1)
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    ids = np.concatenate([poses.track_ids for poses in seen]) if seen else np.empty(0, np.int64)
    people = [one for one in np.unique(ids) if (ids == one).sum() * step_s >= LEAST_S]
    if not people:
        raise DataError(f"{source.name}: nobody is followed for {LEAST_S:g} s; nothing to measure")
    shape, joints = (len(seen), len(people)), len(pipeline.skeleton.keypoints)
    boxes, xy = np.full((*shape, 4), np.nan), np.full((*shape, joints, 2), np.nan)
    scores, covariance = np.zeros((*shape, joints)), np.full((*shape, joints, 2, 2), np.nan)
    for index, poses in enumerate(seen):
        for row, track_id in enumerate(poses.track_ids):
            if track_id in people:
                place = index, people.index(track_id)
                boxes[place], xy[place] = poses.boxes_xyxy[row], poses.keypoints_xy[row]
                scores[place] = poses.keypoint_scores[row]
                covariance[place] = poses.covariance_px2[row]
    matrices = np.repeat(SAME[None], len(seen), axis=0)
    return Recording(
        *(source.name, 1.0 / step_s, np.array(times_s), matrices, boxes, xy, scores, covariance)
    )


def smooth(
    recording: Recording,
    method: str,
    noise_share: float | None = None,
    lead_s: float = 0.0,
) -> Floats:
    """Keypoints (T, P, K, 2) of a recording after the filter; NaN where nobody was tracked."""
    smoother = Smoother(method)
    smoother.lead_s = lead_s
    if noise_share is not None:
        smoother.noise_share = noise_share
    found = np.full_like(recording.keypoints_xy, np.nan)
    for index, time_s in enumerate(recording.times_s):
        here, poses = recording.poses_at(index)
        found[index, here] = smoother.apply(float(time_s), poses).keypoints_xy
    return found
