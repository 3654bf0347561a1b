"""How good a network is in the middle of its training: a few figures, quickly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from livepose.detection import open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.coco import match, tools
from livepose.evaluation.dataset import Dataset, open_people
from livepose.evaluation.metrics import box_results, coco_results, labelled_oks
from livepose.evaluation.predict import (
    Predictions,
    Variant,
    annotated_boxes,
    detected_boxes,
    predict,
)
from livepose.runtimes import Runtime
from livepose.skeletons import SKELETONS

LEAST_SCORE = 0.01


def average_precision(
    runtime: Runtime,
    dataset: Dataset,
    images: Archive,
    advance: Callable[[int], object] = lambda count: None,
) -> tuple[Predictions, float]:
    """Keypoints in annotated boxes, by DARK without flip test, and their COCO AP in percent; NaN
    where pycocotools is missing, as it may on a rented machine.
    """
    card, variant = runtime.card, Variant("dark")
    sample = annotated_boxes(dataset, card.alignment)
    work = PoseEstimator(runtime), images, sample, [variant]
    found = predict(*work, advance)[variant]
    sigmas = np.array(SKELETONS[card.skeleton].sigmas_or_middling)
    results = coco_results(sample, found, card.input_hw, sigmas)
    try:
        return found, match(dataset.document(), results, sigmas).scores()["ap"]
    except UsageError:
        return found, float("nan")


def validate_pose(
    runtime: Runtime, images: Path, annotations: Path, limit: int | None = None
) -> dict[str, float]:
    """Scores a network on annotated boxes of a set in COCO's form, at most ``limit`` images.

    Returns
    -------
    dict
        ``ap`` (left out where it cannot be had), ``oks`` (mean OKS of the annotated people over
        their labelled keypoints, 0 to 1), ``people``.

    DataError when images and annotations do not fit together.
    """
    skeleton = SKELETONS[runtime.card.skeleton]
    dataset, archive = open_people(images, annotations, limit, skeleton)
    with archive:
        found, ap = average_precision(runtime, dataset, archive)
    truth_xy, labelled = dataset.keypoints()
    areas, sigmas = np.array([one.area for one in dataset.people]), skeleton.sigmas_or_middling
    oks = labelled_oks(found.keypoints_xy, truth_xy, labelled, areas, np.array(sigmas))
    return ({} if np.isnan(ap) else {"ap": ap}) | {
        "oks": float(oks.mean()),
        "people": float(len(dataset.people)),
    }


def validate_detector(
    file: Path, images: Path, annotations: Path, input_px: int | None = None
) -> dict[str, float]:
    """``ap`` and ``ap50`` of the boxes of people, in percent, through the live path.

    DataError, UsageError when the set cannot be read, or pycocotools is missing.
    """
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
