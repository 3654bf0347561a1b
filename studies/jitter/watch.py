"""A recording of somebody's own video: the pipeline without smoothing, person by person."""

from collections.abc import Callable
from itertools import islice

import numpy as np

from livepose.errors import DataError
from livepose.pipeline import PosePipeline
from livepose.sources import Source
from studies.jitter.recording import Recording

LEAST_S = 1.0
"""Somebody who is followed for less tells nothing."""
SAME = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def watch(
    pipeline: PosePipeline, source: Source, most: int, advance: Callable[[int], None]
) -> Recording:
    """The first ``most`` pictures of a source; ``pipeline`` must not smooth.

    Raises
    ------
    DataError
        When nobody is followed for ``LEAST_S``.
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
