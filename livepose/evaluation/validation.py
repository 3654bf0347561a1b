"""COCO's AP of a network or a detector, for trainings and for what INT8 costs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from livepose.detection import open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.coco import match, tools
from livepose.evaluation.dataset import Dataset, open_people
from livepose.evaluation.metrics import box_results, coco_results
from livepose.evaluation.predict import Variant, annotated_boxes, detected_boxes, predict
from livepose.runtimes import Runtime
from livepose.skeletons import SKELETONS

LEAST_SCORE = 0.01


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
    """``ap`` of a network on a set in COCO's form; errors as of the set and of the AP."""
    dataset, archive = open_people(images, annotations, skeleton=SKELETONS[runtime.card.skeleton])
    with archive:
        return {"ap": average_precision(runtime, dataset, archive)}


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
