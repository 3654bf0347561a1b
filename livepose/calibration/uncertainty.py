"""``livepose calibrate``: what a network says of its own certainty against the errors it makes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from livepose.calibration import CalibrationSettings
from livepose.estimator import PoseEstimator
from livepose.evaluation import Progress
from livepose.evaluation.dataset import open_people
from livepose.evaluation.predict import annotated_boxes
from livepose.heatmaps import decode
from livepose.runtimes import open_runtime
from livepose.sinks.files import write_output
from livepose.weights.calibration import (
    LEAST_SCORE,
    RADII,
    Calibration,
    read_calibrations,
    written,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Crops = NDArray[np.uint8]

HIDDEN = 1
"""COCO's mark of a keypoint that is labelled and cannot be seen."""
IMAGES_A_SET = 1_000_000
LOST = 0.25
"""Body scales: a keypoint farther off is on something else; no ellipse is meant to hold it."""
SHARES = (0.3935, 0.8647)
"""Of errors of two dimensions, those that the drawn ellipses of one and two sigma shall hold."""
SHAPE = 1 / 3
"""Power to which the heatmap's own deviation enters. Left free it comes out negative (a peak of
noise is narrow), which fits sharp images a little better, blurred ones worse, and says the
opposite of how much a keypoint trembles."""
RIDGE = 1e-5


class Sightings(NamedTuple):
    """N labelled keypoints, in heatmap pixels: ``error`` (N, 2), found minus labelled; ``reach``
    (N,), body scale: root of the box area; ``covariance`` (N, 2, 2) of the heatmap's shape, NaN
    where it has none. ``hidden`` are those that COCO marks as labelled and not to be seen.
    """

    joint: NDArray[np.int64]
    image: NDArray[np.int64]
    error: Floats
    reach: Floats
    covariance: Floats
    score: Floats
    hidden: Mask

    def select(self, which: Mask | NDArray[np.int64]) -> "Sightings":
        """Those where this mask is true, or at these indices."""
        columns: list[Any] = [column[which] for column in self]
        return Sightings(*columns)

    @property
    def distance(self) -> Floats:
        """Between found and labelled, (N,)."""
        return np.asarray(np.hypot(*self.error.T))

    @property
    def near(self) -> Mask:
        """Who is not ``LOST``, (N,)."""
        return np.asarray(self.distance <= LOST * self.reach)

    @property
    def drawn_sigma(self) -> Floats:
        """What the heatmap's shape alone says, (N,); NaN where it says nothing."""
        variance = (self.covariance[:, 0, 0] + self.covariance[:, 1, 1]) / 2
        return np.sqrt(np.where(variance > 0, variance, np.nan))


def joined(parts: Sequence[Sightings]) -> Sightings:
    """All of them, in order."""
    return Sightings(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _terms(seen: Sightings, joints: int) -> tuple[Floats, Floats]:
    """Log sigma: columns (N, M) whose weights are fitted, and what is added to them, (N,)."""
    drawn = seen.drawn_sigma
    height = np.log(np.clip(seen.score, LEAST_SCORE, None))
    columns = np.column_stack([np.eye(joints)[seen.joint], height, np.isnan(drawn)])
    return columns, SHAPE * np.log(np.nan_to_num(drawn, nan=1.0))


def fitted(seen: Sightings, joints: int) -> Floats:
    """Weights (M,) of the greatest likelihood: errors are normal, x and y alike.

    What is lost is left out, and the size is set so that one and two sigma hold what they should,
    as nearly as both can: tails are heavier than normal.
    """
    near = seen.select(seen.near)
    (columns, offset), squared = _terms(near, joints), np.square(near.distance)

    def loss(weights: Floats) -> tuple[float, Floats]:
        log = offset + columns @ weights
        misfit = squared / 2 * np.exp(-2 * log)
        slope = columns.T @ (2 - 2 * misfit) / len(squared)
        value = float(np.mean(misfit + 2 * log) + RIDGE * weights @ weights)
        return value, slope + 2 * RIDGE * weights

    start = np.zeros(columns.shape[1])
    weights = np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)
    scaled = np.sqrt(squared) / np.exp(offset + columns @ weights)
    wanted = np.sqrt(-2 * np.log1p(-np.array(SHARES)))
    size = np.log(np.quantile(scaled, SHARES) / wanted).mean()
    constant = np.linalg.lstsq(columns, np.ones(len(columns)), rcond=None)[0]
    return np.asarray(weights + size * constant)


def calibrate(seen: Sightings, joints: int) -> Calibration:
    """The numbers that turn shape and score into an error."""
    *intercept, height, flat = (float(value) for value in fitted(seen, joints))
    return Calibration(tuple(intercept), SHAPE, height, flat)


def crossed(seen: Sightings, joints: int, fit_on: Mask | None = None) -> Floats:
    """Sigma (N,) in heatmap px of each half of the images as fitted on the other, or on those of
    it in ``fit_on`` (N,).
    """
    even = np.isin(seen.image, np.unique(seen.image)[::2])
    usable = np.ones(len(even), bool) if fit_on is None else fit_on
    columns, offset = _terms(seen, joints)
    sigma = np.empty(len(seen.joint))
    for half in (even, ~even):
        weights = fitted(seen.select(half & usable), joints)
        sigma[~half] = np.exp(offset + columns @ weights)[~half]
    return sigma


def coverage(sigma: Floats, seen: Sightings) -> tuple[float, float]:
    """Shares of what is not lost within the ellipses that are drawn for sigma (N,)."""
    scaled = seen.distance[seen.near] / sigma[seen.near]
    inner, outer = RADII
    return float(np.mean(scaled <= inner)), float(np.mean(scaled <= outer))


def run_calibration(settings: CalibrationSettings, progress: Progress) -> str:
    """Looks, fits and writes; what the drawn ellipses hold, in a sentence."""
    estimator = PoseEstimator(open_runtime(settings.weights))
    seen = collect_all(estimator, settings, progress)
    joints = estimator.runtime.card.keypoints
    if (path := settings.output) is not None:
        found = calibrate(seen, joints)
        entries = read_calibrations(path) if path.is_file() else {}  # those of other weights stay
        entries[estimator.runtime.card.sha256] = found
        if not settings.only_these or "default" not in entries:
            entries["default"] = found
        write_output(path, written(entries))
    inner, outer = coverage(crossed(seen, joints), seen)
    return (
        f"of {len(seen.joint)} keypoints the drawn ellipses hold {inner:.0%} and {outer:.0%}"
        " (39% and 86% are right), fitted on the other half of the images"
    )


def collect_all(
    estimator: PoseEstimator,
    settings: CalibrationSettings,
    progress: Progress,
    change: Callable[[Crops], Crops] = lambda crops: crops,
) -> Sightings:
    """What the network says of the first people of every set, in annotated boxes; ``change``
    spoils the crops before.
    """
    parts = []
    for number, (images, annotations) in enumerate(settings.data):
        known, archive = open_people(images, annotations)
        advance, done = progress(annotations.parent.name, settings.people), 0
        sample = annotated_boxes(known, estimator.runtime.card.alignment)
        for place, (boxed, people) in enumerate(zip(sample, known.people_by_image, strict=True)):
            if people and done < settings.people:
                image_bgr = archive.image_bgr(boxed.image.file_name)
                crops = change(estimator.cut(image_bgr, boxed.boxes_xyxy))
                labels = np.array([person.keypoints for person in people])
                where = labels, boxed.boxes_xyxy, number * IMAGES_A_SET + place
                parts.append(_sightings(estimator, crops, *where))
                done += len(people)
                advance(len(people))
    return joined(parts)


def _sightings(
    estimator: PoseEstimator, crops_bgr: Crops, labels: Floats, boxes_xyxy: Floats, image: int
) -> Sightings:
    heatmaps = estimator.runtime(crops_bgr)
    decoded = decode(heatmaps, "dark", estimator.runtime.card.blur_kernel)
    grid_hw = (int(heatmaps.shape[2]), int(heatmaps.shape[3]))
    true = estimator.geometry.to_heatmap(labels[..., :2], boxes_xyxy, grid_hw)
    corners = estimator.geometry.to_heatmap(boxes_xyxy.reshape(-1, 2, 2), boxes_xyxy, grid_hw)
    reach = np.sqrt(np.prod(corners[:, 1] - corners[:, 0], axis=1))
    # A label outside the crop cannot be found, whatever the network says.
    inside = ((true > -0.5) & (true < np.array(grid_hw[::-1]) - 0.5)).all(axis=2)
    kept = (labels[..., 2] > 0) & inside & np.isfinite(decoded.xy).all(axis=2)
    person, joint = np.nonzero(kept)
    return Sightings(
        joint=joint,
        image=np.full(len(joint), image),
        error=(decoded.xy - true)[kept],
        reach=reach[person],
        covariance=decoded.covariance[kept],
        score=np.minimum(decoded.scores[kept], 1.0).astype(np.float64),
        hidden=labels[..., 2][kept] == HIDDEN,
    )
