"""COCO's AP of a network or a detector, for trainings and for what INT8 costs."""

import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.detection import open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset, open_people
from livepose.evaluation.metrics import box_results, coco_results, match, tools
from livepose.evaluation.predict import (
    Heatmaps,
    Variant,
    annotated_boxes,
    batches,
    detected_boxes,
    predict,
)
from livepose.runtimes import Runtime
from livepose.skeletons import SKELETONS

LEAST_SCORE = 0.01
FITTED_BATCHES = 7
FLOOR = 1e-4  # of the peak: less is not meant by any network


def average_precision(
    runtime: Runtime,
    dataset: Dataset,
    images: Archive,
    advance: Callable[[int], object] = lambda count: None,
) -> float:
    """AP in percent of keypoints in annotated boxes, by DARK without flip test.

    UsageError where pycocotools is missing, DataError when an image cannot be read.
    """
    tools()
    card, variant = runtime.card, Variant("dark")
    sample = annotated_boxes(dataset, card.alignment)
    found = predict(PoseEstimator(runtime), images, sample, [variant], advance)[variant]
    sigmas = np.array(SKELETONS[card.skeleton].sigmas_or_middling)
    results = coco_results(sample, found, card.input_hw, sigmas)
    return match(dataset.document(), results, sigmas).scores()["ap"]


def validate_pose(runtime: Runtime, images: Path, annotations: Path) -> dict[str, float]:
    """``ap`` and ``gaussian_residual`` of a network on a set in COCO's form, both in percent.

    Errors are those of the set and of the AP.
    """
    dataset, archive = open_people(images, annotations, skeleton=SKELETONS[runtime.card.skeleton])
    sample = annotated_boxes(dataset, runtime.card.alignment)
    with archive:
        ap = average_precision(runtime, dataset, archive)
        some = islice(batches(PoseEstimator(runtime), archive, sample), FITTED_BATCHES)
        heatmaps = np.concatenate([runtime(crops) for crops, _ in some])
    labelled = dataset.keypoints()[1][: len(heatmaps)]
    return {"ap": ap, "gaussian_residual": gaussian_residual(heatmaps, labelled)}


def gaussian_residual(heatmaps: Heatmaps, labelled: NDArray[np.bool_]) -> float:
    """How much of log-heatmaps (P, K, H, W) around their peaks no Gaussian explains, in percent.

    DARK takes them for quadratic there (Zhang et al., arXiv 1910.06278, section 3.1). What is left
    over by such a fit to 5 x 5 cells is divided by what their mean leaves, both as RMS: 0 for a
    Gaussian. The mean over the ``labelled`` (P, K) whose peak is not at the edge.
    """
    maps = heatmaps[labelled].astype(np.float64)
    rows, columns = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[2])
    padded = np.pad(maps, ((0,), (2,), (2,)), constant_values=np.nan)
    cells = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    windows = cells[np.arange(len(maps)), rows, columns].reshape(-1, 25)
    windows = windows[windows.max(axis=1) > 0]  # NaN is not
    logs = np.log(np.maximum(windows / windows.max(axis=1, keepdims=True), FLOOR))
    y, x = (axis.ravel() for axis in np.mgrid[-2:3.0, -2:3.0])
    design = np.stack([np.ones(25), x, y, x * x, y * y, x * y], axis=1)
    left_over = logs - logs @ (design @ np.linalg.pinv(design))
    shares = left_over.std(axis=1) / np.maximum(logs.std(axis=1), 1e-12)
    return 100 * float(shares.mean()) if len(shares) else math.nan


def validate_detector(
    file: Path, images: Path, annotations: Path, input_px: int | None = None
) -> dict[str, float]:
    """``ap`` and ``ap50`` of the boxes of people, in percent, through the live path."""
    tools()
    dataset, archive = open_people(images, annotations, skeleton=None)
    detector = open_detector(file, "cpu", input_px, LEAST_SCORE)
    if detector is None:
        raise UsageError(f"{file} is no detector")
    results = []
    with archive:
        for one in detected_boxes(dataset, archive, detector):
            results += box_results(one.image.id, one.boxes_xyxy, one.scores)
    scores = match(dataset.document(), results, None).scores()
    return {name: scores[name] for name in ("ap", "ap50")}
