"""A temporal prior, tried: where the filter expects a keypoint is added to the log-heatmap.

That is the same as multiplying the heatmap with a Gaussian around the expected place, before its
peak is sought. What it is worth stands in docs/smoothness.md; the live path does without it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from livepose.estimator import PoseEstimator
from livepose.poses import Poses
from livepose.smoothing import Smoother
from studies.jitter.measures import Measures, measure_against, truth_of
from studies.jitter.recording import Recording
from studies.jitter.scenes import Film
from studies.jitter.trials import smooth

Floats = NDArray[np.float64]
Heatmaps = NDArray[np.float32]

WIDTHS = (None, 8.0, 4.0, 2.0, 1.0)
"""Deviations of the prior in heatmap px; None is without."""


def try_priors(
    films: Sequence[Film], estimator: PoseEstimator, advance: Callable[[int], None]
) -> dict[str, tuple[Measures, Measures]]:
    """For each width: unsmoothed, and balanced."""
    seen = [_heatmaps(film, estimator, advance) for film in films]
    rows = {}
    for width in WIDTHS:
        recordings = [
            _decoded(film, heatmaps, estimator, width)
            for film, heatmaps in zip(films, seen, strict=True)
        ]
        truths = [truth_of(one) for one in recordings]
        found = [[smooth(one, name) for one in recordings] for name in ("none", "balanced")]
        none, balanced = (measure_against(recordings, truths, one) for one in found)
        rows["none" if width is None else f"{width:g} heatmap px"] = none, balanced
    return rows


def _heatmaps(
    film: Film, estimator: PoseEstimator, advance: Callable[[int], None]
) -> list[Heatmaps]:
    rows = []
    for image_bgr, boxes_xyxy in zip(film, film.boxes_xyxy(), strict=True):
        rows.append(estimator.heatmaps(image_bgr, boxes_xyxy))
        advance(1)
    return rows


def _decoded(
    film: Film, heatmaps: Sequence[Heatmaps], estimator: PoseEstimator, width: float | None
) -> Recording:
    """Decodes picture by picture, each with the prior that the pictures before it give."""
    boxes, smoother = film.boxes_xyxy(), Smoother("balanced")
    smoother.lead_s = 1.0 / film.fps
    expected: Floats | None = None
    rows = []
    for time_s, maps, boxes_xyxy in zip(film.times_s, heatmaps, boxes, strict=True):
        if width is not None and expected is not None:
            maps = _with_prior(maps, expected, boxes_xyxy, estimator, width)
        found = estimator.decode(maps, boxes_xyxy)
        rows.append(found)
        poses = Poses(
            keypoints_xy=found.keypoints_xy,
            keypoint_scores=found.keypoint_scores,
            boxes_xyxy=boxes_xyxy,
            scores=np.ones(len(boxes_xyxy)),
            track_ids=np.arange(1, len(boxes_xyxy) + 1),
            covariance_px2=found.covariance_px2,
        )
        expected = smoother.apply(float(time_s), poses).keypoints_xy
    return Recording(
        name=film.name,
        fps=film.fps,
        times_s=film.times_s,
        matrices=film.matrices(),
        boxes_xyxy=boxes,
        keypoints_xy=np.stack([one.keypoints_xy for one in rows]),
        keypoint_scores=np.stack([one.keypoint_scores for one in rows]),
        covariance_px2=np.stack([one.covariance_px2 for one in rows]),
    )


def _with_prior(
    maps: Heatmaps, expected_xy: Floats, boxes_xyxy: Floats, estimator: PoseEstimator, width: float
) -> Heatmaps:
    height, columns = maps.shape[2:]
    centre = estimator.geometry.to_heatmap(expected_xy, boxes_xyxy, (int(height), int(columns)))
    along_y = np.exp(-((np.arange(height) - centre[..., 1:]) ** 2) / (2 * width**2))
    along_x = np.exp(-((np.arange(columns) - centre[..., :1]) ** 2) / (2 * width**2))
    weight = np.nan_to_num(along_y[..., :, None] * along_x[..., None, :], nan=1.0)
    return np.asarray(maps * weight, dtype=np.float32)


def table(rows: dict[str, tuple[Measures, Measures]]) -> str:
    """One row a width, both without and with the filter."""
    lines = [
        "| prior | trembling % | error % | p95 % | trembling, balanced | lag, balanced | error |",
        "| --- |" + " ---: |" * 6,
    ]
    for name, (none, balanced) in rows.items():
        lines.append(
            f"| {name} | {none.tremble_percent:.3f} | {none.error_percent:.2f} |"
            f" {none.error_p95_percent:.2f} | {balanced.tremble_percent:.3f} |"
            f" {balanced.lag_ms:.1f} | {balanced.error_percent:.2f} |"
        )
    return "\n".join(lines)
