"""How well a detector finds people: COCO's AP of boxes, by pycocotools, through the live path."""

import contextlib
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np

from livepose.detection import Detections, Detector, open_detector
from livepose.errors import DataError, UsageError
from livepose.evaluation._kernels import precision_and_recall
from livepose.evaluation.bootstrap import Interval, draws, percentile_interval
from livepose.evaluation.coco import gathered, tools
from livepose.training.annotations import read_annotations
from livepose.training.archive import open_archive
from livepose.training.detector_data import PERSON
from livepose.training.people import SetSpec
from livepose.training.pictures import decode

logger = logging.getLogger(__name__)

LEAST_SCORE = 0.01
PERSON_ID = 1


def measure(file: Path, spec: SetSpec, input_px: int) -> dict[str, float] | None:
    """AP and AP50 in percent, of the exported detector; None where pycocotools is missing.

    Raises
    ------
    DataError
        When the set cannot be read.
    """
    try:
        classes = tools()
    except UsageError as error:
        logger.warning(f"the detector was not measured: {error}")
        return None
    detector = open_detector(file, "cpu", input_px, LEAST_SCORE)
    if detector is None:
        return None
    content = read_annotations(spec.annotations)
    return score(classes, content, find_all(detector, content, spec.images))


def find_all(detector: Detector, content: dict[str, Any], images: Path) -> list[dict[str, Any]]:
    """What the detector finds in every picture, in COCO's submission form."""
    archive = open_archive(images)
    results: list[dict[str, Any]] = []
    for entry in content["images"]:
        name = str(entry.get("file_name"))
        image = decode(archive.read(name)) if name in archive else None
        if image is None:
            raise DataError(f"{archive.path}: {name} is missing or no picture")
        [found] = detector([image])
        results += results_of(entry["id"], found)
    return results


def results_of(image_id: int, found: Detections) -> list[dict[str, Any]]:
    """The people of one picture in COCO's submission form."""
    return [
        {
            "image_id": image_id,
            "category_id": PERSON_ID,
            "bbox": [left, top, right - left, bottom - top],
            "score": float(score),
        }
        for (left, top, right, bottom), score in zip(
            found.boxes_xyxy.tolist(), found.scores, strict=True
        )
    ]


def score(
    classes: tuple[Any, Any], content: dict[str, Any], results: list[dict[str, Any]]
) -> dict[str, float]:
    """AP (mean over IoU 0.5 to 0.95) and AP50, in percent."""
    if not results:
        return {"AP": 0.0, "AP50": 0.0}
    evaluator = _evaluated(classes, content, results)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.accumulate()
        evaluator.summarize()
    return {"AP": 100 * float(evaluator.stats[0]), "AP50": 100 * float(evaluator.stats[1])}


def intervals(
    classes: tuple[Any, Any], content: dict[str, Any], results: list[dict[str, Any]]
) -> dict[str, Interval]:
    """The 95 % bootstrap intervals of the same two over pictures, in percent."""
    evaluator = _evaluated(classes, content, results)
    settings = evaluator.params
    pictures = len(settings.imgIds)
    whole = gathered(evaluator.evalImgs[:pictures], settings)  # people of any size come first
    precision, _ = precision_and_recall(
        *(whole.true, whole.false, whole.picture, whole.people),
        *(draws(pictures).copy(), np.asarray(settings.recThrs, dtype=np.float64)),
    )
    samples = {"AP": precision.mean(axis=1), "AP50": precision[:, 0]}
    return {name: percentile_interval(100 * values) for name, values in samples.items()}


def _evaluated(
    classes: tuple[Any, Any], content: dict[str, Any], results: list[dict[str, Any]]
) -> Any:
    """The evaluator of pycocotools after it has looked at every picture."""
    coco_class, evaluator_class = classes
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class()
        truth.dataset = {
            **content,
            "categories": [{"id": PERSON_ID, "name": PERSON}],
            "annotations": _people(content),
        }
        truth.createIndex()
        evaluator = evaluator_class(truth, truth.loadRes(results), "bbox")
        evaluator.evaluate()
    return evaluator


def _people(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The boxes of people, numbered from 1 on: pycocotools takes id 0 for no match."""
    people = {c.get("id") for c in content["categories"] if c.get("name") == PERSON}
    boxes = [one for one in content["annotations"] if one.get("category_id") in people]
    return [
        {
            "id": number,
            "image_id": one["image_id"],
            "category_id": PERSON_ID,
            "bbox": one["bbox"],
            "area": one.get("area", one["bbox"][2] * one["bbox"][3]),
            "iscrowd": one.get("iscrowd", 0),
        }
        for number, one in enumerate(boxes, 1)
    ]
