"""What a filter is worth on recordings: trembling, lag and error, against the known truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from studies.jitter.recording import Recording
from studies.jitter.scenes import apply, undo

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SETTLE_S = 0.5
"""Left out at the start of each clip: every filter begins at the first measurement."""
LEAST_SCORE, LEAST_SHARE = 0.3, 0.9
"""A keypoint counts whose score is that high in that share of its images."""
MOST_SPREAD = 0.1
"""A keypoint that lies farther off its middle, in body scales, in a tenth of the images is
found in two places: nobody knows which of them is meant."""
REST_SPEED, MOTION_SPEED = 0.02, 0.15
"""Body scales a second: slower is rest, faster is motion."""
LONGEST_LAG_S = 0.25
EYE_S, EYE_REST_SPEED = 0.4, 0.06
"""Without a known camera: window of the smoothing, and what counts as rest."""


@dataclass(frozen=True)
class Truth:
    """The true paths of a recording, and what may be measured on it."""

    xy: Floats
    """(T, P, K, 2): where each keypoint is, up to the constant that the network is off by."""
    velocity: Floats
    """(T, P, K, 2) in px a second."""
    scales_px: Floats
    """(P,) body scale: root of the box area."""
    counted: Mask
    """(P, K)"""
    resting: Mask
    """(T, P, K): nothing moves, nor has it for ``SETTLE_S``."""
    moving: Mask
    """(T, P, K)"""
    unlabelled: bool = False
    """Nobody knows the truth: what trembles is then measured against its own smoothed path, or
    else a filter would be blamed for the trembling that the stand-in still has."""


def truth_of(recording: Recording) -> Truth:
    """The true paths: each keypoint's middle place in the photograph, moved by the camera."""
    raw = recording.keypoints_xy
    images, people, joints = raw.shape[:3]
    flat = raw.reshape(images, people * joints, 2)
    places = np.nanmedian(undo(recording.matrices, flat), axis=0)
    xy = apply(recording.matrices, places).reshape(raw.shape)
    return _truth(recording, xy, REST_SPEED)


def _truth(recording: Recording, xy: Floats, rest_speed: float) -> Truth:
    raw, times_s = recording.keypoints_xy, recording.times_s
    velocity = np.gradient(xy, times_s, axis=0)
    wh = recording.boxes_xyxy[..., 2:] - recording.boxes_xyxy[..., :2]
    scales_px = np.nanmedian(np.sqrt(wh.prod(axis=2)), axis=0)
    speed = np.linalg.norm(velocity, axis=3) / scales_px[:, None]
    settled = (times_s >= SETTLE_S)[:, None, None] & np.isfinite(raw).all(axis=3)
    return Truth(
        xy=xy,
        velocity=velocity,
        scales_px=scales_px,
        counted=_counted(recording, xy, scales_px),
        resting=settled & _rested(speed < rest_speed, round(SETTLE_S * recording.fps)),
        moving=settled & (speed >= MOTION_SPEED),
    )


def unlabelled_truth(recording: Recording) -> Truth:
    """Stands in for the truth where the camera is not known: each path smoothed both ways in time.

    A Savitzky-Golay filter looks ahead, so its paths have no lag; what it takes away is counted
    as trembling.
    """
    raw = recording.keypoints_xy
    known = np.isfinite(raw).all(axis=3, keepdims=True)
    xy = np.where(known, _calm(raw, recording.fps), np.nan)
    return replace(_truth(recording, xy, EYE_REST_SPEED), unlabelled=True)


def _calm(paths_xy: Floats, fps: float) -> Floats:
    """Paths smoothed both ways in time; as they are where there are too few images."""
    images = max(5, round(EYE_S * fps) | 1)
    if len(paths_xy) < images:
        return paths_xy.copy()
    return np.asarray(savgol_filter(_bridged(paths_xy), images, 2, axis=0))


def _bridged(raw: Floats) -> Floats:
    """The same with gaps filled along straight lines, and 0 where nothing was ever seen."""
    flat = raw.reshape(len(raw), -1).copy()
    times = np.arange(len(raw))
    for column in flat.T:
        known = np.isfinite(column)
        column[:] = np.interp(times, times[known], column[known]) if known.any() else 0.0
    return flat.reshape(raw.shape)


def _counted(recording: Recording, true_xy: Floats, scales_px: Floats) -> Mask:
    seen = np.isfinite(recording.boxes_xyxy[..., :1])
    good = (recording.keypoint_scores >= LEAST_SCORE) & seen
    share = good.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    off = np.linalg.norm(recording.keypoints_xy - true_xy, axis=3) / scales_px[:, None]
    return np.asarray((share >= LEAST_SHARE) & (np.nanquantile(off, 0.9, axis=0) <= MOST_SPREAD))


def _rested(still: Mask, images: int) -> Mask:
    """Where it has been still for so many images."""
    run = np.zeros(still.shape[1:], dtype=np.int64)
    rested = np.empty_like(still)
    for index, now in enumerate(still):
        run = np.where(now, run + 1, 0)
        rested[index] = run > images
    return rested


@dataclass(frozen=True)
class Measures:
    """How one filter did over some recordings. Parts of the body scale are in per cent."""

    tremble_px: float
    """RMS distance from the own mean while nothing moves, x and y each."""
    tremble_percent: float
    shake_px_s2: float
    """RMS acceleration while nothing moves."""
    lag_ms: float
    """Time shift of the truth that fits best while it moves."""
    error_px: float
    """RMS distance from the truth in motion, x and y each, the lag included."""
    error_percent: float
    rough_percent: float
    """The same after the lag was taken out."""
    error_p95_percent: float


def measure_against(
    recordings: Sequence[Recording],
    truths: Sequence[Truth],
    found: Sequence[Floats],
    joint: int | None = None,
) -> Measures:
    """Compares ``found``, (T, P, K, 2) a recording, with the truth; of one keypoint or of all."""
    rest = [_at_rest(*row, joint) for row in zip(recordings, truths, found, strict=True)]
    tremble, shake = (np.concatenate(part) for part in zip(*rest, strict=True))
    lag_s = _best_lag_s(recordings, truths, found, joint)
    late = [errors(*row, joint, 0.0) for row in zip(recordings, truths, found, strict=True)]
    error = np.concatenate(late)
    rough = np.concatenate(
        [errors(*row, joint, lag_s) for row in zip(recordings, truths, found, strict=True)]
    )
    return Measures(
        tremble_px=_rms(tremble[:, 0]),
        tremble_percent=100 * _rms(tremble[:, 0] / tremble[:, 1]),
        shake_px_s2=_rms(shake),
        lag_ms=1e3 * lag_s,
        error_px=_rms(error[:, 0]) / np.sqrt(2),
        error_percent=100 * _rms(error[:, 0] / error[:, 1]) / np.sqrt(2),
        rough_percent=100 * _rms(rough[:, 0] / rough[:, 1]) / np.sqrt(2),
        error_p95_percent=float(100 * np.percentile(error[:, 0] / error[:, 1], 95))
        if len(error)
        else float("nan"),
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")


def _which(mask: Mask, truth: Truth, joint: int | None) -> Mask:
    chosen = mask & truth.counted
    if joint is not None:
        chosen = chosen & (np.arange(chosen.shape[2]) == joint)
    return chosen


def _at_rest(
    recording: Recording, truth: Truth, found: Floats, joint: int | None
) -> tuple[Floats, Floats]:
    """Distances from the own mean with the body scale (N, 2), and accelerations (M,)."""
    chosen = _which(truth.resting, truth, joint)
    path = _calm(found, recording.fps) if truth.unlabelled else truth.xy
    off = np.where(chosen[..., None], found - path, np.nan)
    with np.errstate(invalid="ignore"):
        count = np.maximum(chosen.sum(axis=0), 1)[..., None]
        away = off - np.nansum(off, axis=0) / count
    scales = np.broadcast_to(truth.scales_px[:, None, None], away.shape)
    known = np.isfinite(away)
    step_s = 1.0 / recording.fps
    shake = (off[2:] - 2 * off[1:-1] + off[:-2]) / step_s**2
    return np.stack([away[known], scales[known]], axis=1), shake[np.isfinite(shake)]


def errors(
    recording: Recording, truth: Truth, found: Floats, joint: int | None, lag_s: float
) -> Floats:
    """Distances from the truth of ``lag_s`` ago, with the body scale, (N, 2), in motion."""
    chosen = _which(truth.moving, truth, joint)
    off = np.linalg.norm(found - _shifted(recording, truth, lag_s), axis=3)
    scales = np.broadcast_to(truth.scales_px[:, None], off.shape)
    known = chosen & np.isfinite(off)
    return np.stack([off[known], scales[known]], axis=1)


def _shifted(recording: Recording, truth: Truth, lag_s: float) -> Floats:
    """The truth as it was ``lag_s`` ago."""
    if lag_s == 0.0:
        return truth.xy
    times_s = recording.times_s
    place = np.interp(times_s - lag_s, times_s, np.arange(len(times_s)))
    before = np.minimum(place.astype(int), len(times_s) - 2)
    part = (place - before)[:, None, None, None]
    return np.asarray(truth.xy[before] * (1 - part) + truth.xy[before + 1] * part)


def _best_lag_s(
    recordings: Sequence[Recording],
    truths: Sequence[Truth],
    found: Sequence[Floats],
    joint: int | None,
) -> float:
    """The shift with the smallest squared error relative to body size, to half a millisecond."""

    def cost(lag_s: float) -> float:
        rows = zip(recordings, truths, found, strict=True)
        parts = [errors(*row, joint, lag_s) for row in rows]
        return float(sum(np.sum((part[:, 0] / part[:, 1]) ** 2) for part in parts))

    low, high, step = -0.06, LONGEST_LAG_S, 0.02
    while True:
        lags = np.arange(low, high + step / 2, step)
        best = float(lags[np.argmin([cost(float(lag)) for lag in lags])])
        if step <= 0.0005:
            return best
        low, high, step = best - step, best + step, step / 4
