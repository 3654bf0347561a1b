"""Every filter swept over its parameter: what it takes from trembling, and what it adds to lag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from livepose.budget import PoseSchedule
from livepose.smoothing import COSTS, Smoother
from livepose.tracking import Tracked
from studies.jitter.measures import Measures, Truth, errors, measure_against
from studies.jitter.one_euro import one_euro
from studies.jitter.recording import Floats, Recording, smooth
from studies.jitter.scenes import Clip

NOISE_SHARES = (0.002, 0.005, 0.012, 0.03, 0.06, 0.12, 0.2, 0.5, 1.0, 2.0)
CUTOFFS_PER_SPEED = (1.0, 2.5, 5.0, 10.0, 20.0, 50.0)
REST_CUTOFFS_HZ = (0.3, 1.0)
UNAWARE = "without the covariance"


@dataclass(frozen=True)
class Point:
    """One setting of one filter on a curve."""

    curve: str
    parameter: float
    measures: Measures


def presets(
    recordings: Sequence[Recording], truths: Sequence[Truth], joint: int | None = None
) -> dict[str, Measures]:
    """Every choice of ``--smooth``, and One Euro, on one keypoint or on all."""
    found = {name: [smooth(one, name) for one in recordings] for name in COSTS}
    found["one-euro"] = [one_euro(one) for one in recordings]
    return {
        name: measure_against(recordings, truths, paths, joint) for name, paths in found.items()
    }


def by_keypoint(
    recordings: Sequence[Recording], truths: Sequence[Truth], method: str
) -> list[Measures]:
    """One method, keypoint by keypoint."""
    found = [smooth(one, method) for one in recordings]
    joints = recordings[0].keypoint_scores.shape[2]
    return [measure_against(recordings, truths, found, joint) for joint in range(joints)]


def ahead_error_percent(
    recordings: Sequence[Recording], truths: Sequence[Truth], latency_s: float, lead_s: float
) -> float:
    """RMS distance, in motion, between what is shown and where the keypoint is by then.

    It is shown ``latency_s`` after the image, and was extrapolated by ``lead_s``.
    """
    found = [smooth(one, "balanced", lead_s=lead_s) for one in recordings]
    parts = [
        errors(*row, joint=None, lag_s=-latency_s)
        for row in zip(recordings, truths, found, strict=True)
    ]
    off = np.concatenate(parts)
    return float(100 * np.sqrt(np.mean((off[:, 0] / off[:, 1]) ** 2) / 2))


def curves(
    recordings: Sequence[Recording], truths: Sequence[Truth], advance: Callable[[int], None]
) -> list[Point]:
    """The sweeps, one curve a filter."""
    blind = [without_covariance(one) for one in recordings]
    points = []
    for share in NOISE_SHARES:
        for curve, seen in (("livepose", recordings), (UNAWARE, blind)):
            found = [smooth(one, "balanced", share) for one in seen]
            points.append(Point(curve, share, measure_against(seen, truths, found)))
        advance(2)
    for rest_hz in REST_CUTOFFS_HZ:
        for rise in CUTOFFS_PER_SPEED:
            found = [one_euro(one, rest_hz, rise) for one in recordings]
            measures = measure_against(recordings, truths, found)
            points.append(Point(f"One Euro, {rest_hz:g} Hz at rest", rise, measures))
            advance(1)
    return points


def sweep_length() -> int:
    """How many steps ``curves`` takes."""
    return 2 * len(NOISE_SHARES) + len(REST_CUTOFFS_HZ) * len(CUTOFFS_PER_SPEED)


def without_covariance(recording: Recording) -> Recording:
    """The same with one variance for all: the middle one in body scales."""
    wh = recording.boxes_xyxy[..., 2:] - recording.boxes_xyxy[..., :2]
    area = wh.prod(axis=2)[..., None]
    covariance = recording.covariance_px2
    share = (covariance[..., 0, 0] + covariance[..., 1, 1]) / 2 / area
    flat = np.nanmedian(share) * np.broadcast_to(area, share.shape)
    return replace(recording, covariance_px2=flat[..., None, None] * np.eye(2))


def at_equal(points: Sequence[Point], curve: str, known: str, wanted: str, value: float) -> float:
    """``wanted`` of a curve where its ``known`` has this value, between its points; NaN outside."""
    own = [one.measures for one in points if one.curve == curve]
    pairs = sorted((getattr(one, known), getattr(one, wanted)) for one in own)
    x, y = np.array(pairs).T
    return float(np.interp(value, x, y, left=np.nan, right=np.nan))


def scheduled(clip: Clip, recording: Recording) -> tuple[Floats, Floats]:
    """Keypoints (T, P, K, 2) of a recording by the schedule, and who was looked at (N,)."""
    smoother = Smoother("balanced")
    schedule = PoseSchedule(smoother)
    found, looked = np.full_like(recording.keypoints_xy, np.nan), []
    for index, (time_s, image_bgr) in enumerate(zip(recording.times_s, clip, strict=True)):
        _, poses = recording.poses_at(index)
        tracked = Tracked(poses.boxes_xyxy, poses.track_ids, poses.scores)
        due = schedule.due(float(time_s), tracked, image_bgr)
        schedule.posed(float(time_s), poses.select(due))
        smoothed = smoother.apply(float(time_s), poses.select(due))
        punctual = np.zeros(np.count_nonzero(~due), dtype=bool)
        everybody = schedule.propagate(float(time_s), smoothed, poses.select(~due), punctual)
        found[index, everybody.track_ids - 1] = everybody.keypoints_xy
        looked.append(due)
    return found, np.concatenate(looked).astype(float)
