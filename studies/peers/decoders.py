"""Decoders that try to beat DARK on the same heatmaps. Slow, plain NumPy: for tables, not frames.

``dark1``      DARK with second differences over one cell instead of two (UDP's refinement, Huang
               et al., CVPR 2020, uses the same stencil).
``quadratic``  a least-squares quadratic through the 5x5 cells of the modulated log-heatmap.
``gaussfit``   the same, each cell weighted by its squared value: Guo, "A simple algorithm for
               fitting a Gaussian function", IEEE Signal Processing Magazine 28(5), 2011.
``fused``      flip test by keypoints instead of by heatmaps: DARK on the plain and on the mirrored
               answer, averaged with the inverse of their covariances.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.errors import UsageError
from livepose.estimator import Estimates, PoseEstimator
from livepose.evaluation.predict import Answers, Variant, average
from livepose.heatmaps import DECODERS, blur_taps

Array = NDArray[np.float64]
Heatmaps = NDArray[np.float32]

FLOOR = 1e-10
REACH = 2
"""Cells around the maximum that a fit looks at, and the farthest that it may move."""

FUSED = "fused"
SMALLEST_DETERMINANT = 1e-12


@dataclass(frozen=True)
class Peaks:
    """Maxima of M maps: ``cells`` int (M, 2) as x, y; ``scores`` (M,); ``logs`` (M, 5, 5) of the
    modulated map around each, and which of those cells lie ``inside`` the map.
    """

    cells: NDArray[np.int64]
    scores: Array
    logs: Array
    inside: NDArray[np.bool_]


def modulated(heatmaps: Array, blur_kernel: int) -> Array:
    """Maps (M, H, W) blurred with the training kernel and brought back to their old maximum."""
    margin = (blur_kernel - 1) // 2
    taps = blur_taps(blur_kernel)
    padded = np.pad(heatmaps, ((0, 0), (margin, margin), (margin, margin)))
    height, width = heatmaps.shape[1:]
    rows = sum(tap * padded[:, shift : shift + height] for shift, tap in enumerate(taps))
    blurred = sum(tap * rows[:, :, shift : shift + width] for shift, tap in enumerate(taps))
    highest = heatmaps.max(axis=(1, 2), keepdims=True)
    after = np.max(blurred, axis=(1, 2), keepdims=True)
    return np.asarray(blurred * np.where(after > 0, highest / np.where(after > 0, after, 1.0), 1.0))


def peaks(heatmaps: Heatmaps, blur_kernel: int) -> Peaks:
    """Maxima of the maps (M, H, W) and the modulated log-heatmap around them."""
    maps = heatmaps.astype(np.float64)
    height, width = maps.shape[1:]
    index = maps.reshape(len(maps), -1).argmax(axis=1)
    cells = np.stack([index % width, index // width], axis=1)
    offsets = np.arange(-REACH, REACH + 1)
    columns, rows = cells[:, :1] + offsets, cells[:, 1:] + offsets
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None, :
    ]
    near = modulated(maps, blur_kernel)[
        np.arange(len(maps))[:, None, None],
        np.clip(rows, 0, height - 1)[:, :, None],
        np.clip(columns, 0, width - 1)[:, None, :],
    ]
    return Peaks(cells, maps.max(axis=(1, 2)), np.log(np.maximum(near, FLOOR)), inside)


def newton_step(gradient: Array, hessian: Array) -> Array:
    """-H^-1 g, (M, 2), or no step where the surface has no maximum within reach."""
    a, b, d = hessian[:, 0, 0], hessian[:, 0, 1], hessian[:, 1, 1]
    determinant = a * d - b * b
    good = (determinant > 0) & (a < 0)
    safe = np.where(good, determinant, 1.0)
    step = (
        -np.stack(
            [d * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]],
            axis=1,
        )
        / safe[:, None]
    )
    good &= np.all(np.abs(step) <= REACH, axis=1)
    return np.where(good[:, None], step, 0.0)


def one_cell_step(found: Peaks) -> Array:
    """Newton step from differences over one cell; none where the 3x3 cells leave the map."""
    logs, middle = found.logs, REACH
    up, down, left, right = middle - 1, middle + 1, middle - 1, middle + 1
    centre = logs[:, middle, middle]
    gradient = np.stack(
        [
            (logs[:, middle, right] - logs[:, middle, left]) / 2,
            (logs[:, down, middle] - logs[:, up, middle]) / 2,
        ],
        axis=1,
    )
    dxx = logs[:, middle, right] - 2 * centre + logs[:, middle, left]
    dyy = logs[:, down, middle] - 2 * centre + logs[:, up, middle]
    dxy = (logs[:, down, right] - logs[:, up, right] - logs[:, down, left] + logs[:, up, left]) / 4
    hessian = np.stack([np.stack([dxx, dxy], 1), np.stack([dxy, dyy], 1)], axis=1)
    whole = np.all(found.inside[:, up : down + 1, left : right + 1], axis=(1, 2))
    return np.where(whole[:, None], newton_step(gradient, hessian), 0.0)


def fitted_step(found: Peaks, weights: Array) -> Array:
    """Newton step of the weighted least-squares quadratic through the 5x5 cells, (M, 2)."""
    y, x = (axis.ravel() for axis in np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])
    design = np.stack([np.ones_like(x), x, y, x * x / 2, x * y, y * y / 2], axis=1).astype(float)
    cells = (weights * found.inside).reshape(len(weights), -1)
    normal = np.einsum("mc,ci,cj->mij", cells, design, design)
    right = np.einsum("mc,ci,mc->mi", cells, design, found.logs.reshape(len(weights), -1))
    ridge = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + np.finfo(float).tiny
    answer = np.linalg.solve(normal + ridge * np.eye(6), right[..., None])[..., 0]
    hessian = answer[:, [3, 4, 4, 5]].reshape(-1, 2, 2)
    return newton_step(answer[:, 1:3], hessian)


def uniform_fit(found: Peaks) -> Array:
    """Every cell counts the same."""
    return fitted_step(found, np.ones_like(found.logs))


def value_weighted_fit(found: Peaks) -> Array:
    """Each cell counts with its squared value, so that the noise of the log does not rule."""
    highest = found.logs.max(axis=(1, 2), keepdims=True)
    return fitted_step(found, np.exp(2 * (found.logs - highest)))


REFINEMENTS: dict[str, Callable[[Peaks], Array]] = {
    "dark1": one_cell_step,
    "quadratic": uniform_fit,
    "gaussfit": value_weighted_fit,
}
NAMES = (*sorted(DECODERS), *REFINEMENTS, FUSED)


FLIPS = ("none", "aligned", "misaligned")
"""No flip test; aligned as the checkpoint's pixel centres ask for; the other way."""


def variants_of(decoders: Sequence[str], flips: Sequence[str]) -> tuple[Variant, ...]:
    """Every decoder with every kind of flip test; ``fused`` only with one."""
    if FUSED in decoders and tuple(flips) == ("none",):
        raise UsageError("--decode fused joins two answers: it needs --flip-test")
    every = (
        StudyVariant(decode, flip != "none", flip == "misaligned")
        for decode in decoders
        for flip in flips
    )
    return tuple(one for one in every if one.decode != FUSED or one.flip)


@dataclass(frozen=True)
class StudyVariant(Variant):
    """The decoders of this module beside the live ones, and a flip test that is misaligned."""

    misaligned: bool = False

    @property
    def label(self) -> str:
        """For tables."""
        return super().label + (", misaligned" if self.misaligned else "")

    def shifts(self, alignment: str) -> bool:
        """Where the live one would not, if misaligned."""
        return super().shifts(alignment) != self.misaligned

    def read(self, estimator: PoseEstimator, answers: Answers, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints in the image from the plain and the mirrored heatmaps."""
        plain, mirrored = self.turned_back(estimator, answers)
        if self.decode == FUSED and mirrored is not None:
            return fuse(*(estimator.decode(one, boxes_xyxy, "dark") for one in (plain, mirrored)))
        maps = plain if mirrored is None else average(plain, mirrored)
        return decode_as(estimator, self.decode, maps, boxes_xyxy)


def refined(heatmaps: Heatmaps, method: str, blur_kernel: int) -> tuple[Array, Array]:
    """Heatmaps (P, K, H, W) to positions (P, K, 2) in cells and scores (P, K).

    A map without a positive value, or with one that is not finite, gives NaN and score 0.
    """
    people, keypoints, height, width = heatmaps.shape
    if not people:
        return np.empty((0, keypoints, 2)), np.empty((0, keypoints))
    maps = heatmaps.reshape(-1, height, width)
    finite = np.isfinite(maps).all(axis=(1, 2), keepdims=True)
    found = peaks(np.where(finite, maps, np.float32(0.0)), blur_kernel)
    xy = found.cells + REFINEMENTS[method](found)
    there = found.scores > 0
    xy = np.where(there[:, None], xy, np.nan).reshape(people, keypoints, 2)
    return xy, np.where(there, found.scores, 0.0).reshape(people, keypoints)


def decode_as(
    estimator: PoseEstimator, method: str, heatmaps: Heatmaps, boxes_xyxy: Boxes
) -> Estimates:
    """Keypoints in the image by any name but ``fused``; the live ones by the live code."""
    if method in DECODERS:
        return estimator.decode(heatmaps, boxes_xyxy, method)
    xy, scores = refined(heatmaps, method, estimator.runtime.card.blur_kernel)
    grid_hw = (int(heatmaps.shape[2]), int(heatmaps.shape[3]))
    image_xy = estimator.geometry.to_image(xy, boxes_xyxy, grid_hw)
    return Estimates(image_xy, scores, np.full((*scores.shape, 2, 2), np.nan))


def fuse(first: Estimates, second: Estimates) -> Estimates:
    """Both answers averaged with the inverse of their covariances.

    Where either covariance is not known both count the same; where one keypoint is missing the
    other stands alone.
    """
    pair = (first, second)
    sure = np.logical_and(*(usable(one.covariance_px2) for one in pair))[..., None, None]
    known = [np.all(np.isfinite(one.keypoints_xy), axis=2)[..., None, None] for one in pair]
    information = [
        np.linalg.inv(np.where(sure, one.covariance_px2, np.eye(2))) * there
        for one, there in zip(pair, known, strict=True)
    ]
    anywhere = known[0] | known[1]
    covariance = np.linalg.inv(np.where(anywhere, sum(information), np.eye(2)))
    pulls = [
        weight @ np.nan_to_num(one.keypoints_xy)[..., None]
        for weight, one in zip(information, pair, strict=True)
    ]
    xy = np.where(anywhere[..., 0], (covariance @ sum(pulls))[..., 0], np.nan)
    scores = (first.keypoint_scores + second.keypoint_scores) / 2
    return Estimates(xy, scores, np.where(sure & anywhere, covariance, np.nan))


def usable(covariance: Array) -> NDArray[np.bool_]:
    """Which of the 2x2 matrices (P, K, 2, 2) are finite and can be inverted."""
    finite = np.all(np.isfinite(covariance), axis=(2, 3))
    safe = np.where(finite[..., None, None], covariance, np.eye(2))
    return np.asarray(finite & (np.linalg.det(safe) > SMALLEST_DETERMINANT))
